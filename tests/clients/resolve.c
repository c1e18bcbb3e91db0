/* Asks the resolver of the C library that it is linked with, as programs do.
 *
 *   resolve any|4|6 NAME...
 *
 * A line for each name: it, how long that took in milliseconds, and then its addresses in the order of their
 * text, or "absent", "no-address", "again" or the number of another error. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST = 4096 };

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void* one, const void* other) {
    return strcmp(one, other);
}

static void print_addresses(const struct addrinfo* first) {
    static char texts[MOST][INET6_ADDRSTRLEN];
    size_t count = 0;
    for (const struct addrinfo* entry = first; entry != NULL && count < MOST; entry = entry->ai_next) {
        const void* address =
            entry->ai_family == AF_INET
                ? (const void*)&((const struct sockaddr_in*)(const void*)entry->ai_addr)->sin_addr
                : (const void*)&((const struct sockaddr_in6*)(const void*)entry->ai_addr)->sin6_addr;
        if (inet_ntop(entry->ai_family, address, texts[count], sizeof texts[count]) != NULL) ++count;
    }
    qsort(texts, count, sizeof texts[0], compare);
    for (size_t at = 0; at < count; ++at) printf(" %s", texts[at]);
}

static void resolve(int family, const char* name) {
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo* found = NULL;
    const double begun = now_ms();
    const int error = getaddrinfo(name, "80", &hints, &found);
    printf("%s %.0f", name, now_ms() - begun);
    if (error == 0)
        print_addresses(found);
    else if (error == EAI_NONAME)
        printf(" absent");
#ifdef EAI_NODATA
    else if (error == EAI_NODATA)
        printf(" no-address");
#endif
    else if (error == EAI_AGAIN)
        printf(" again");
    else
        printf(" %d", error);
    printf("\n");
    if (error == 0) freeaddrinfo(found);
}

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const int family = strcmp(argv[1], "4") == 0 ? AF_INET : strcmp(argv[1], "6") == 0 ? AF_INET6 : AF_UNSPEC;
    for (int at = 2; at < argc; ++at) resolve(family, argv[at]);
    return 0;
}
