/* machine.h - what a figure depends on beside the code. */
#ifndef MACHINE_H
#define MACHINE_H

#include <stdbool.h>

/* The processor, its instructions, the load, whether OPENBLAS_CORETYPE is set: to standard
 * output. */
void machine_print(void);

/* Shares of the processors' time over half a second from now. False where /proc/stat is not
 * there. */
struct machine_rest {
    double idle, stolen;
};
bool machine_rests(struct machine_rest *rest);

#endif
