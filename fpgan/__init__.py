"""Feature-preserving CycleGAN between synthetic (UnityEyes) and real (MPIIFaceGaze) eye images."""
