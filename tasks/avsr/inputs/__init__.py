"""From a media file or stream to windows of sound and mouths."""
