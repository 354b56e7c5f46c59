/* version.h - the one place where the version stands. */
#ifndef VERSION_H
#define VERSION_H

#define DENOISED_VERSION "0.1.0"

#endif
