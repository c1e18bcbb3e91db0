// The fuzz targets. Each takes any bytes, must not crash or hang on them, and checks a law of the code under
// test (reading back what was written, doing something twice). Inputs with several parts have one part a
// line.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "kernel/object/schema.h"

namespace keelson::fuzz {

using Target = void (*)(std::string_view input);

void json(std::string_view input);
void yaml(std::string_view input);
void protobuf(std::string_view input);
void conform(std::string_view input);
void json_patch(std::string_view input);
void merge_patch(std::string_view input);
void strategic_patch(std::string_view input);
void apply(std::string_view input);
void label_selector(std::string_view input);
void field_selector(std::string_view input);
void continue_token(std::string_view input);
void quantity(std::string_view input);
void duration(std::string_view input);
void time(std::string_view input);
#ifdef KEELSON_FUZZ_DNS
void dns_query(std::string_view input);
void dns_answer(std::string_view input);
#endif

struct NamedTarget {
    std::string_view name;
    Target run;
};
inline constexpr NamedTarget kTargets[] = {
    {"json", json},
    {"yaml", yaml},
    {"protobuf", protobuf},
    {"conform", conform},
    {"json_patch", json_patch},
    {"merge_patch", merge_patch},
    {"strategic_patch", strategic_patch},
    {"apply", apply},
    {"label_selector", label_selector},
    {"field_selector", field_selector},
    {"continue_token", continue_token},
    {"quantity", quantity},
    {"duration", duration},
    {"time", time},
#ifdef KEELSON_FUZZ_DNS
    {"dns_query", dns_query},
    {"dns_answer", dns_answer},
#endif
};

// Like assert, but in every build.
#define FUZZ_CHECK(condition)                                                                   \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                                       \
        }                                                                                       \
    } while (false)

// Cuts the first line off.
std::string_view take_line(std::string_view& input);
// The type that a line names; any other text chooses one of the top level types.
const object::Type& type_of(std::string_view line);

}  // namespace keelson::fuzz
