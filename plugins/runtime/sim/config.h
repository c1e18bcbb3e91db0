// The plugin's configuration; sim.yaml describes it.
#ifndef KEELSON_SIM_CONFIG_H
#define KEELSON_SIM_CONFIG_H

#include <cstdint>

#include "behaviour.h"
#include "keelson/document.hpp"

struct Config {
    std::uint64_t seed = 1;
    bool timer = false;
    bool logs = true;
    std::int64_t call_ms = 0;
    std::int64_t jitter_ms = 0;
    double failure_probability = 0;
    std::int64_t image_bytes = 10 << 20;
    keelson::Labels defaults;
    KEELSON_FIELDS(field.optional("seed", self.seed)
                       .optional("timer", self.timer)
                       .optional("logs", self.logs)
                       .optional("callMilliseconds", self.call_ms)
                       .optional("jitterMilliseconds", self.jitter_ms)
                       .optional("failureProbability", self.failure_probability)
                       .optional("imageBytes", self.image_bytes)
                       .optional("defaults", self.defaults))

    [[nodiscard]] Behaviour behaviour() const {
        Behaviour behaviour;
        for (const auto& [key, value] : defaults) set_behaviour(behaviour, key, value);
        return behaviour;
    }
};

// Throws Code::invalid: also what a host lets pass that has not looked at the schema.
inline Config read_config(const keelson::Json& json) {
    constexpr std::int64_t day_ms = 86'400'000;
    auto config = keelson::read_as<Config>(json);
    const auto check = [](bool good, const char* field) {
        if (!good)
            throw keelson::Error(keelson::Code::invalid, std::string(field) + " is out of range", field);
    };
    check(config.call_ms >= 0 && config.call_ms <= 60'000, "callMilliseconds");
    check(config.jitter_ms >= 0 && config.jitter_ms <= day_ms, "jitterMilliseconds");
    check(config.failure_probability >= 0 && config.failure_probability <= 1, "failureProbability");
    check(config.image_bytes >= 0 && config.image_bytes <= std::int64_t(1) << 40, "imageBytes");
    check(config.call_ms == 0 || config.timer, "callMilliseconds");
    return config;
}

#endif
