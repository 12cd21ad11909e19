/* --connection: one call of a connection, in the place of a model. */
#ifndef HCC_DRIVER_CONNECTION_H
#define HCC_DRIVER_CONNECTION_H

#include "driver/driver.h"

/* The command's text: that of its file, or of a model around the connection, behind that of the
 * file if one was given. Says what is wrong. */
ExitCode connection_or_file(Driver *d, uint32_t *file);

#endif
