"""The networks: generator, discriminator, gaze estimators, landmark network and domain classifier."""
