// ldns, without the macros for bool, true and false that its headers make where they know of no <stdbool.h>.
#ifndef KEELSON_DNS_LDNS_H
#define KEELSON_DNS_LDNS_H

#include <ldns/ldns.h>

#undef bool
#undef true
#undef false

#endif
