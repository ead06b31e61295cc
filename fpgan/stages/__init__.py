"""One small file a stage: parameters and inputs in, an MLflow run, outputs and scores out."""
