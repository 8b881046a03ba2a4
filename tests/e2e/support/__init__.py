"""What the end-to-end tests stand on: a test's own folder and processes, git repositories, git
servers, mounts, and the comparison of trees."""
