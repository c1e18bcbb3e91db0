#include <nlohmann/json.hpp>

#include "kernel/base/base64.h"
#include "kernel/plugin/host_server.h"

namespace keelson::plugin {

using base::Reason;
using base::Result;
using base::Status;
using nlohmann::json;

std::string encode(const Hello& hello) {
    return json{{"protocol", hello.protocol},
                {"processId", hello.process_id},
                {"id", hello.id},
                {"version", hello.version},
                {"sha256", hello.sha256},
                {"failure", hello.failure},
                {"methods", base::base64_encode(hello.methods, base::Base64::standard)},
                {"started", hello.started},
                {"config", hello.config}}
        .dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Hello> decode_hello(std::string_view text) {
    try {
        const json document = json::parse(text);
        Hello hello;
        hello.protocol = document.at("protocol").get<std::uint32_t>();
        hello.process_id = document.at("processId").get<int>();
        hello.id = document.at("id").get<std::string>();
        hello.version = document.at("version").get<std::string>();
        hello.sha256 = document.at("sha256").get<std::string>();
        hello.failure = document.at("failure").get<std::string>();
        KEELSON_TRY(hello.methods, base::base64_decode(document.at("methods").get<std::string>()));
        hello.started = document.at("started").get<bool>();
        hello.config = document.at("config").get<std::string>();
        return hello;
    } catch (const json::exception& error) {
        return Status(Reason::internal_error,
                      std::string("the plugin's process introduced itself wrongly: ") + error.what());
    }
}

}  // namespace keelson::plugin
