// What a simulated container does, as the annotations of its pod say. README.md describes each of them.
#ifndef KEELSON_SIM_BEHAVIOUR_H
#define KEELSON_SIM_BEHAVIOUR_H

#include <cstdint>
#include <string>
#include <string_view>

#include "keelson/document.hpp"

constexpr std::string_view annotation_prefix = "sim.keelson.dev/";

struct Behaviour {
    std::int64_t start_ms = 0;
    std::int64_t run_ms = -1;  // negative: for ever
    std::int32_t exit_code = 0;
    std::string exit_reason;
    std::string exit_message;
    std::int64_t stop_ms = 0;
    std::int32_t stop_exit_code = 143;  // a process that SIGTERM has ended
    std::int32_t exec_exit_code = 0;
    std::int64_t cpu_millis = 10;
    std::int64_t memory_bytes = std::int64_t(16) << 20;
    std::int64_t fail_every = 0;  // 0: never
    std::string fail_sandbox;
    std::string fail_create;
    std::string fail_start;
    std::string log;
};

// Sets what the key, without the prefix, stands for. Throws Code::invalid for unknown keys and bad values.
void set_behaviour(Behaviour& behaviour, const std::string& key, const std::string& value);

// `behaviour` with what the annotations say about the container; with an empty name, about all of the pod's.
// Throws Code::invalid when an annotation, also one for another container, cannot be understood.
Behaviour behaviour_of(Behaviour behaviour, const keelson::Labels& annotations, std::string_view container);

bool has_behaviour(const keelson::Labels& annotations);

#endif
