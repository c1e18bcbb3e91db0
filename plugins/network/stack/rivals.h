// Rules of others that may take connections before those of this plugin see them.
#ifndef KEELSON_STACK_RIVALS_H
#define KEELSON_STACK_RIVALS_H

#include <string>

namespace keelson::stack {

// In the network namespace of the calling thread; empty: there are none.
std::string find_rivals();

}  // namespace keelson::stack

#endif
