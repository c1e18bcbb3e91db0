// A plugin in C++ that keeps to everything: one user with one token, handed over with a descriptor.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "keelson/auth.h"
#include "keelson/host.h"

namespace {

constexpr std::string_view known_token = "\"token\":\"good-token\"";

std::int32_t answer(keelson_reply* reply, std::string_view document) {
    reply->write(reply->context, document.data(), document.size());
    return KEELSON_OK;
}

std::int32_t refuse(keelson_reply* reply, keelson_status status, std::string_view message) {
    answer(reply, R"({"message": ")");
    answer(reply, message);
    answer(reply, "\"}");
    return status;
}

class GoodPlugin {
  public:
    explicit GoodPlugin(const keelson_host* host) : host_(host) {}
    ~GoodPlugin() {
        stop();
        if (held_descriptor_ >= 0) ::close(held_descriptor_);
    }

    void start() {
        held_descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        worker_ = std::jthread([this](const std::stop_token& end) { work(end); });
    }
    void stop() { worker_ = {}; }

    std::int32_t authenticate(std::string_view request, keelson_reply* reply) {
        ++asked_;
        if (request.find(known_token) == std::string_view::npos) {
            return answer(reply, R"({"authenticated": false, "ttlSeconds": 0})");
        }
        return answer(reply, R"({"authenticated": true, "user": {"username": "good", "groups": []}})");
    }

    std::int32_t give(const keelson_call*, keelson_reply* reply) {
        if (KEELSON_HAS_FIELD(reply, keelson_reply, pass_descriptor)) {
            (void)reply->pass_descriptor(reply->context, held_descriptor_);
        }
        return answer(reply, R"({"state": {"asked": )" + std::to_string(asked_.load()) + "}}");
    }

    std::int32_t adopt(const keelson_call* call, std::string_view request, keelson_reply* reply) {
        if (request.find("\"asked\"") == std::string_view::npos || call->descriptor_count != 1) {
            return refuse(reply, KEELSON_INVALID, "this is no state of such a plugin");
        }
        const int copy = ::fcntl(call->descriptors[0], F_DUPFD_CLOEXEC, 3);
        if (copy < 0) return refuse(reply, KEELSON_EXHAUSTED, "no more descriptors");
        ::close(held_descriptor_);
        held_descriptor_ = copy;
        return answer(reply, "{}");
    }

  private:
    void work(const std::stop_token& end) {
        constexpr std::string_view started = "the worker has begun";
        if (KEELSON_HAS_FIELD(host_, keelson_host, log)) {
            host_->log(host_->context, KEELSON_LOG_DEBUG, {started.data(), started.size()});
        }
        std::unique_lock held(lock_);
        wake_.wait(held, end, [] { return false; });
    }

    const keelson_host* host_;
    std::atomic<int> asked_{0};
    int held_descriptor_ = -1;
    std::mutex lock_;
    std::condition_variable_any wake_;
    std::jthread worker_;
};

// The shape of every method, with no exception let out of it.
template <auto body>
std::int32_t method(void* instance, const keelson_call* call, keelson_bytes request, keelson_reply* reply) {
    try {
        const std::string_view text(request.data, request.size);
        if (!text.starts_with('{') || !text.ends_with('}')) {
            return refuse(reply, KEELSON_INVALID, "the request is not an object");
        }
        return body(*static_cast<GoodPlugin*>(instance), call, text, reply);
    } catch (...) {
        return refuse(reply, KEELSON_INTERNAL, "an exception");
    }
}

using Call = const keelson_call*;
using Text = std::string_view;

constexpr auto do_nothing = [](GoodPlugin&, Call, Text, keelson_reply* reply) { return answer(reply, "{}"); };
constexpr auto do_start = [](GoodPlugin& plugin, Call, Text, keelson_reply* reply) {
    plugin.start();
    return answer(reply, "{}");
};
constexpr auto do_stop = [](GoodPlugin& plugin, Call, Text, keelson_reply* reply) {
    plugin.stop();
    return answer(reply, "{}");
};
constexpr auto do_health = [](GoodPlugin&, Call, Text, keelson_reply* reply) {
    return answer(reply, R"({"healthy": true})");
};
constexpr auto do_authenticate = [](GoodPlugin& plugin, Call, Text request, keelson_reply* reply) {
    return plugin.authenticate(request, reply);
};
constexpr auto do_give = [](GoodPlugin& plugin, Call call, Text, keelson_reply* reply) {
    return plugin.give(call, reply);
};
constexpr auto do_adopt = [](GoodPlugin& plugin, Call call, Text request, keelson_reply* reply) {
    return plugin.adopt(call, request, reply);
};

const keelson_authenticator authenticator = {sizeof authenticator, method<do_authenticate>};
const keelson_handover handover = {sizeof handover, method<do_nothing>, method<do_give>, method<do_adopt>,
                                   method<do_nothing>};

const void* capability(void*, const char* id) {
    if (std::string_view(id) == KEELSON_AUTHENTICATOR) return &authenticator;
    if (std::string_view(id) == KEELSON_HANDOVER) return &handover;
    return nullptr;
}

void destroy(void* self) {
    delete static_cast<GoodPlugin*>(self);
}

std::int32_t create(std::uint32_t abi, const keelson_host* host, keelson_instance* instance,
                    keelson_reply* error) {
    if (abi != 1) return refuse(error, KEELSON_UNSUPPORTED, "this plugin speaks ABI 1");
    try {
        auto plugin = std::make_unique<GoodPlugin>(host);
        *instance = {sizeof *instance,  plugin.release(), method<do_start>, method<do_stop>,
                     method<do_health>, capability,       destroy};
        return KEELSON_OK;
    } catch (...) {
        return refuse(error, KEELSON_EXHAUSTED, "no memory");
    }
}

const keelson_entry entry = {sizeof entry, 1, 1, "com.example.good-cpp", "1.0.0", create};

}  // namespace

extern "C" const keelson_entry* keelson_plugin() {
    return &entry;
}
