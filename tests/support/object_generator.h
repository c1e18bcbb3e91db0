// Objects of any built-in type filled with made-up values, for tests of what must hold for every type.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "kernel/object/schema.h"
#include "kernel/object/value.h"

namespace keelson::testing {

// The same seed and calls give the same objects.
class ObjectGenerator {
  public:
    struct Options {
        int percent_set = 100;          // how many of the fields are there
        bool only_in_protobuf = false;  // leave out what has no protobuf field (kind, apiVersion)
    };
    ObjectGenerator(std::uint64_t seed, Options options) : random_(seed), options_(options) {}

    // A raw JSON value that a client could send for this type: right kinds, arbitrary contents.
    object::Value generate(const object::Type& type, object::Arena& arena) { return value(type, arena, 0); }

  private:
    object::Value value(const object::Type& type, object::Arena& arena, int depth);
    object::Value structure(const object::Type& type, object::Arena& arena, int depth);
    object::Value any(object::Arena& arena, int depth);
    object::Value text(object::Arena& arena);
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    template <std::size_t Size>
    std::string_view one_of(const std::string_view (&choices)[Size]) {
        return choices[below(Size)];
    }

    std::mt19937_64 random_;
    Options options_;
    std::map<const object::Type*, int> open_;  // structures that are being filled
};

// All types that stand on their own ("core/v1.Pod", "core/v1.PodList", "autoscaling/v1.Scale").
[[nodiscard]] const std::vector<const object::Type*>& top_level_types();

}  // namespace keelson::testing
