"""Generator, discriminator, GazeNet and the landmark hourglass."""
