#include "behaviour.h"

#include <charconv>

namespace {

using keelson::Code;
using keelson::Error;

constexpr std::int64_t maximum_ms = std::int64_t(366) * 86'400'000;
constexpr std::int64_t maximum_bytes = std::int64_t(1) << 50;

std::int64_t number(const std::string& text, std::int64_t maximum) {
    std::int64_t value = -1;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || value < 0 || value > maximum)
        throw Error(Code::invalid, "must be a whole number from 0 to " + std::to_string(maximum));
    return value;
}

std::int32_t code(const std::string& text) {
    return std::int32_t(number(text, 255));
}

using Setter = void (*)(Behaviour&, const std::string&);

struct Setting {
    std::string_view key;
    Setter set;
};

constexpr Setting settings[] = {
    {"start-milliseconds", [](Behaviour& b, const std::string& v) { b.start_ms = number(v, maximum_ms); }},
    {"run-milliseconds", [](Behaviour& b, const std::string& v) { b.run_ms = number(v, maximum_ms); }},
    {"exit-code", [](Behaviour& b, const std::string& v) { b.exit_code = code(v); }},
    {"exit-reason", [](Behaviour& b, const std::string& v) { b.exit_reason = v; }},
    {"exit-message", [](Behaviour& b, const std::string& v) { b.exit_message = v; }},
    {"stop-milliseconds", [](Behaviour& b, const std::string& v) { b.stop_ms = number(v, maximum_ms); }},
    {"stop-exit-code", [](Behaviour& b, const std::string& v) { b.stop_exit_code = code(v); }},
    {"exec-exit-code", [](Behaviour& b, const std::string& v) { b.exec_exit_code = code(v); }},
    {"cpu-millis", [](Behaviour& b, const std::string& v) { b.cpu_millis = number(v, 1'000'000); }},
    {"memory-bytes", [](Behaviour& b, const std::string& v) { b.memory_bytes = number(v, maximum_bytes); }},
    {"fail-every", [](Behaviour& b, const std::string& v) { b.fail_every = number(v, 1'000'000); }},
    {"fail-sandbox", [](Behaviour& b, const std::string& v) { b.fail_sandbox = v; }},
    {"fail-create", [](Behaviour& b, const std::string& v) { b.fail_create = v; }},
    {"fail-start", [](Behaviour& b, const std::string& v) { b.fail_start = v; }},
    {"log", [](Behaviour& b, const std::string& v) { b.log = v; }},
};

bool is_ours(std::string_view annotation) {
    return annotation.substr(0, annotation_prefix.size()) == annotation_prefix;
}

}  // namespace

void set_behaviour(Behaviour& behaviour, const std::string& key, const std::string& value) {
    for (const Setting& setting : settings) {
        if (key != setting.key) continue;
        try {
            return setting.set(behaviour, value);
        } catch (const Error& error) {
            throw Error(Code::invalid, std::string(annotation_prefix) + key + " " + error.what(), key);
        }
    }
    throw Error(Code::invalid, std::string(annotation_prefix) + key + " is not known to the simulation", key);
}

Behaviour behaviour_of(Behaviour behaviour, const keelson::Labels& annotations, std::string_view container) {
    Behaviour ignored;
    // In this order "exit-code" comes before "exit-code.main", so what is said of one container wins.
    for (const auto& [name, value] : annotations) {
        if (!is_ours(name)) continue;
        const std::string key = name.substr(annotation_prefix.size());
        const auto dot = key.find('.');
        const bool for_pod = dot == std::string::npos;
        const bool for_this = for_pod || std::string_view(key).substr(dot + 1) == container;
        set_behaviour(for_this ? behaviour : ignored, key.substr(0, dot), value);
    }
    return behaviour;
}

bool has_behaviour(const keelson::Labels& annotations) {
    const auto first = annotations.lower_bound(std::string(annotation_prefix));
    return first != annotations.end() && is_ours(first->first);
}
