/* environment.h - what a shell would have set: for mount(8), fstab and service managers, which start programs without it. */
#ifndef FS_CLI_ENVIRONMENT_H
#define FS_CLI_ENVIRONMENT_H

/* Sets HOME as the password database has it, and PATH, where they are not set or empty: ~/.gitconfig, ~/.netrc and the programs
 * that git's configuration names are then the same as in the user's shell. Before any thread is started. */
void environment_complete(void);

#endif
