// The descriptors of simulated processes. What such a process says lies in its streams before anybody reads
// them, so nothing has to run for it.
#ifndef KEELSON_SIM_STREAMS_H
#define KEELSON_SIM_STREAMS_H

#include <string>
#include <string_view>

#include "keelson/call.hpp"

// Sockets, since writing into a pipe that nobody reads any more is a signal.
struct Stream {
    keelson::Descriptor ours;
    keelson::Descriptor theirs;
};
Stream make_stream();

// As much as can be written without waiting; nobody misses what nobody reads.
void write_some(const keelson::Descriptor& descriptor, std::string_view text);

// A stream whose other side has said the text and has hung up.
keelson::Descriptor finished_stream(std::string_view text);

// What is written there is gone.
keelson::Descriptor void_input();

// {"exitCode": N}
std::string exit_document(int code);

#endif
