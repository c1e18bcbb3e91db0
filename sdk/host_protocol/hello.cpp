#include "sdk/host_protocol/hello.h"

#include <nlohmann/json.hpp>

namespace keelson::host_protocol {
namespace {

using nlohmann::json;

std::string hexadecimal(std::string_view bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (const char byte : bytes) {
        text += kDigits[static_cast<unsigned char>(byte) >> 4];
        text += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return text;
}

// What is no digit counts as zero: a wrong text makes a wrong length or a plugin without methods, no harm.
std::string from_hexadecimal(std::string_view text) {
    auto digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
    };
    std::string bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes += static_cast<char>(digit(text[i]) << 4 | digit(text[i + 1]));
    return bytes;
}

}  // namespace

std::string encode(const Hello& hello) {
    return json{{"protocol", hello.protocol},
                {"processId", hello.process_id},
                {"id", hello.id},
                {"version", hello.version},
                {"sha256", hello.sha256},
                {"failure", hello.failure},
                {"methods", hexadecimal(hello.methods)},
                {"started", hello.started},
                {"config", hello.config},
                {"nodeName", hello.node_name}}
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
        hello.methods = from_hexadecimal(document.at("methods").get<std::string>());
        hello.started = document.at("started").get<bool>();
        hello.config = document.at("config").get<std::string>();
        hello.node_name = document.value("nodeName", "");
        return hello;
    } catch (const json::exception& error) {
        return problem(Problem::Kind::nonsense,
                       std::string("the plugin's process introduced itself wrongly: ") + error.what());
    }
}

}  // namespace keelson::host_protocol
