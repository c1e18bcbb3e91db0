// One instance of the plugin, whichever way calls to it travel.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keelson/capabilities.h"

namespace keelson::check {

struct MethodReference {
    const keelson_capability_info* capability;
    const keelson_method_info* method;

    [[nodiscard]] std::string name() const { return std::string(capability->id) + " " + method->name; }
};

// What came back from a method. Descriptors belong to whoever holds the answer; see close_descriptors().
struct Answer {
    std::int32_t status = KEELSON_INTERNAL;
    std::string body;
    std::vector<int> descriptors;
    bool has_thrown = false;  // a C++ exception came out of it
    std::string exception;    // what it said
    bool wrote_on_other_thread = false;
    std::chrono::microseconds duration{0};

    void close_descriptors();
};

// The circumstances of a call.
struct CallSetup {
    std::vector<int> descriptors;
    std::int64_t deadline_us = 0;
    bool is_cancelled = false;
    std::string traceparent;
    // Request, call and reply end at unreadable memory.
    bool is_guarded = false;
    // Guarded ones are unreadable when the method has returned.
    bool expires = false;
    // A host of an earlier version: the tables end here.
    std::uint32_t call_size = sizeof(keelson_call);
    std::uint32_t reply_size = sizeof(keelson_reply);
    // Says on the board what is called. Off for calls beside each other.
    bool sets_phase = true;
    // What is special about the request, for the board.
    std::string label;
};

class Transport {
  public:
    virtual ~Transport() = default;

    [[nodiscard]] virtual Answer start(std::string_view configuration) = 0;
    [[nodiscard]] virtual Answer stop() = 0;
    [[nodiscard]] virtual Answer health(const CallSetup& setup) = 0;
    [[nodiscard]] virtual bool has(const MethodReference& method) = 0;
    // Only for methods that the plugin has.
    [[nodiscard]] virtual Answer call(const MethodReference& method, std::string_view request,
                                      const CallSetup& setup) = 0;
    virtual void destroy() = 0;
};

// The methods of every capability that `transport` has, those of the handover apart: they stop the others.
[[nodiscard]] std::vector<MethodReference> methods_of(Transport& transport);
// A method by its capability's id and its name; ends the process when the SDK has none of that name.
[[nodiscard]] MethodReference method_named(std::string_view capability, std::string_view method);

}  // namespace keelson::check
