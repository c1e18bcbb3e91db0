// What one instance leaves to the next: a file in memory with one JSON document a line, since the state of
// 100,000 pods is larger than an answer may be.
#ifndef KEELSON_SIM_HANDOVER_H
#define KEELSON_SIM_HANDOVER_H

#include "images.h"
#include "keelson/call.hpp"
#include "machine.h"

keelson::Descriptor write_state(const Machine& machine, const Images& images);

// Into a machine and images that have nothing yet. Throws Code::invalid for what write_state has not written.
void read_state(int descriptor, Machine& machine, Images& images);

#endif
