#include <pthread.h>
#include <time.h>

#include "plugin.h"

void run_detached(void* (*function)(void*), void* argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, argument) == 0) pthread_detach(thread);
}

void sleep_milliseconds(int count) {
    const struct timespec duration = {count / 1000, (count % 1000) * 1000000L};
    nanosleep(&duration, NULL);
}
