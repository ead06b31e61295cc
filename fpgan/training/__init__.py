"""The trainings of the GAN, of the estimators and of the domain classifier."""
