// Drives a plugin as a host does: through its entry, with documents.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "keelson/capabilities.h"

namespace keelson::testing {

using Json = nlohmann::json;

// Takes what a method answers; owns the descriptors that came with it.
class Sink {
  public:
    Sink() : reply_{sizeof(keelson_reply), this, &write, &pass} {}
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    ~Sink() {
        for (const int descriptor : descriptors) ::close(descriptor);
    }

    keelson_reply* reply() { return &reply_; }
    [[nodiscard]] Json document() const { return Json::parse(text, nullptr, false); }

    std::string text;
    std::vector<int> descriptors;

  private:
    static void write(void* context, const char* data, std::size_t size) {
        static_cast<Sink*>(context)->text.append(data, size);
    }
    static std::int32_t pass(void* context, int descriptor) {
        auto& list = static_cast<Sink*>(context)->descriptors;
        if (list.size() == 16) return KEELSON_EXHAUSTED;
        list.push_back(::dup(descriptor));
        return KEELSON_OK;
    }

    keelson_reply reply_;
};

struct Answer {
    std::int32_t status;
    Json document;

    [[nodiscard]] std::string message() const { return document.value("message", ""); }
    [[nodiscard]] std::string field() const { return document.value("field", ""); }
};

inline keelson_call plain_call() {
    return {sizeof(keelson_call), 0, nullptr, 0, nullptr, ""};
}

inline Answer perform(keelson_method method, void* self, std::string_view request, const keelson_call& call,
                      Sink& sink) {
    const std::int32_t status = method(self, &call, {request.data(), request.size()}, sink.reply());
    return {status, sink.document()};
}

// One instance of a plugin, from create to destroy.
class Driven {
  public:
    explicit Driven(const keelson_entry& entry, const keelson_host* host = nullptr) {
        instance.struct_size = sizeof(instance);
        Sink error;
        created = entry.create(1, host, &instance, error.reply());
    }
    Driven(const Driven&) = delete;
    Driven& operator=(const Driven&) = delete;
    ~Driven() {
        if (created == KEELSON_OK) instance.destroy(instance.self);
    }

    Answer start(const Json& configuration = Json::object()) const {
        return run(instance.start, configuration);
    }
    [[nodiscard]] Answer stop() const { return run(instance.stop, Json::object()); }
    [[nodiscard]] Answer health() const { return run(instance.health, Json::object()); }

    [[nodiscard]] keelson_method method(const char* id, const char* name) const {
        const auto* table = static_cast<const char*>(instance.capability(instance.self, id));
        if (table == nullptr) return nullptr;
        for (const keelson_capability_info& capability : keelson_capability_list) {
            if (std::strcmp(capability.id, id) != 0) continue;
            for (std::size_t at = 0; at < capability.method_count; ++at) {
                if (std::strcmp(capability.methods[at].name, name) != 0) continue;
                keelson_method found = nullptr;
                std::memcpy(&found, table + capability.methods[at].offset, sizeof(found));
                return found;
            }
        }
        return nullptr;
    }

    [[nodiscard]] Answer call(const char* id, const char* name, const Json& request) const {
        Sink sink;
        return perform(method(id, name), instance.self, request.dump(), plain_call(), sink);
    }
    [[nodiscard]] Answer call_text(const char* id, const char* name, std::string_view request) const {
        Sink sink;
        return perform(method(id, name), instance.self, request, plain_call(), sink);
    }

    keelson_instance instance{};
    std::int32_t created = KEELSON_INTERNAL;

  private:
    [[nodiscard]] Answer run(keelson_method method, const Json& request) const {
        Sink sink;
        return perform(method, instance.self, request.dump(), plain_call(), sink);
    }
};

}  // namespace keelson::testing
