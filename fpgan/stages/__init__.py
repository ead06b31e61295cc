"""The stages of the pipelines: parameters and inputs in, an MLflow run, outputs and scores out."""
