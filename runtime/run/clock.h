#ifndef HC_CLOCK_H
#define HC_CLOCK_H

double hc_now(void); /* monotonic seconds */

#endif
