#include "server/service.h"

#include <math.h>

unsigned service_retry_after(double backlog_seconds)
{
    if (!(backlog_seconds > 1))
        return 1;
    return backlog_seconds > 120 ? 120u : (unsigned)ceil(backlog_seconds);
}
