#include "kernel/api/openapi.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <optional>
#include <span>
#include <utility>

#include "kernel/api/accept.h"
#include "kernel/api/chain.h"
#include "kernel/api/gzip.h"
#include "kernel/api/openapi_document.h"
#include "kernel/api/openapi_gnostic.h"
#include "kernel/object/json.h"

namespace keelson::api {

using base::Task;

namespace {

constexpr std::string_view kV2Protobuf = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
constexpr std::string_view kV3Protobuf = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";
// As the first clients spelled them: '@' is not allowed in a media type.
constexpr std::string_view kV2ProtobufOld = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
constexpr std::string_view kV3ProtobufOld = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";

std::string etag_of(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int length = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha512(), nullptr);
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string hex;
    for (unsigned char byte : std::span(digest).first(length)) {
        hex += digits[byte >> 4];
        hex += digits[byte & 15];
    }
    return hex;
}

std::string document_url(std::string_view name, std::string_view etag) {
    return "/openapi/" + std::string(name) + "?hash=" + std::string(etag);
}

// The media type of the answer; empty when none of them is accepted.
std::string_view negotiate_type(std::string_view accept, std::string_view protobuf,
                                std::string_view protobuf_old) {
    if (accept.empty()) return "application/json";
    for (const AcceptClause& clause : parse_accept(accept)) {
        if (clause.matches("application/json")) return "application/json";
        if (clause.matches(protobuf) || clause.matches(protobuf_old)) return protobuf;
    }
    return {};
}

bool has_current(const Request& request, std::string_view etag) {
    std::string_view known = request.header("If-None-Match");
    return known == "*" || known.find("\"" + std::string(etag) + "\"") != known.npos;
}

// The HTTP date one year from now: a URL with a hash never changes its answer.
std::string next_year(base::WallTime now) {
    auto then =
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(now + std::chrono::days(365));
    std::time_t seconds = std::chrono::system_clock::to_time_t(then);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

Task<bool> OpenApi::handle(Exchange& exchange) {
    const Request& request = exchange.request();
    std::string_view path = request.path;
    if (!path.starts_with("/openapi/")) co_return false;
    path.remove_prefix(std::string_view("/openapi/").size());
    if (path.size() > 3 && path.ends_with('/')) path.remove_suffix(1);
    bool v2 = path == "v2";
    if (!v2 && path != "v3" && !path.starts_with("v3/")) co_return false;
    std::string_view type = "application/json";
    if (path != "v3")
        type = negotiate_type(request.header("Accept"), v2 ? kV2Protobuf : kV3Protobuf,
                              v2 ? kV2ProtobufOld : kV3ProtobufOld);
    exchange.add_header("Vary", "Accept");
    if (type.empty()) {
        exchange.respond(Response(406, "", ""));
        co_return true;
    }
    Key key{std::string(path), type == "application/json" ? Form::json : Form::protobuf};
    co_await answer(exchange, std::move(key), std::string(type));
    co_return true;
}

Task<void> OpenApi::answer(Exchange& exchange, Key key, std::string content_type) {
    const Request& request = exchange.request();
    std::shared_ptr<const Entry> entry = cached(key);
    if (!entry) {
        auto work = [this, key] { return make(key); };
        entry = co_await base::blocking(std::move(work));
    }
    if (!entry) {
        exchange.respond(page_not_found());
        co_return;
    }
    std::vector<Header> headers = {{"Etag", "\"" + entry->etag + "\""}};
    if (std::string_view hash = request.query_value("hash"); key.name.starts_with("v3/") && !hash.empty()) {
        if (hash != entry->etag) {
            Response moved(301, "", "");
            headers.push_back({"Location", document_url(key.name, entry->etag)});
            moved.headers = std::move(headers);
            exchange.respond(std::move(moved));
            co_return;
        }
        headers.push_back({"Cache-Control", "public, immutable"});
        headers.push_back({"Expires", next_year(exchange.executor().clock().wall_now())});
    }
    if (has_current(request, entry->etag)) {
        Response unchanged(304, "", "");
        unchanged.headers = std::move(headers);
        exchange.respond(std::move(unchanged));
        co_return;
    }
    if (accepts_gzip(request.header("Accept-Encoding"))) {
        Response response(200, std::move(content_type), "");
        response.headers = std::move(headers);
        response.headers.push_back({"Content-Encoding", "gzip"});
        response.body.push_back(entry->compressed);
        exchange.respond(std::move(response));
        co_return;
    }
    co_await send_plain(exchange, entry->compressed, std::move(content_type), std::move(headers));
}

// Piece by piece, so that many who ask at once do not hold many copies.
Task<void> OpenApi::send_plain(Exchange& exchange, BodyPiece compressed, std::string content_type,
                               std::vector<Header> headers) {
    constexpr std::size_t piece_bytes = 64 << 10;
    auto begun =
        co_await exchange.begin_stream(200, std::move(content_type), std::move(headers), StreamKind::bulk);
    if (!begun) co_return;
    GunzipStream stream(*compressed);
    while (true) {
        auto piece = std::make_shared<const std::string>(stream.next(piece_bytes));
        if (piece->empty()) break;
        auto written = co_await exchange.write(piece);
        if (!written) co_return;
    }
    co_await exchange.end_stream();
}

std::shared_ptr<const OpenApi::Entry> OpenApi::cached(const Key& key) {
    std::lock_guard lock(mutex_);
    auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second;
}

std::shared_ptr<const OpenApi::Entry> OpenApi::keep(const Key& key, std::string_view bytes,
                                                    std::string etag) {
    auto compressed = std::make_shared<std::string>();
    GzipStream stream;
    stream.add(bytes, *compressed);
    stream.finish(*compressed);
    compressed->shrink_to_fit();
    auto entry = std::make_shared<const Entry>(Entry{std::move(compressed), std::move(etag)});
    std::lock_guard lock(mutex_);
    entries_[key] = entry;
    return entry;
}

std::shared_ptr<const OpenApi::Entry> OpenApi::make(const Key& key) {
    std::shared_ptr<const Entry> entry;
    {
        if (key.name == "v3") return make_index(key);
        std::lock_guard lock(building_);
        if (auto there = cached(key)) return there;
        object::Arena arena;
        bool v2 = key.name == "v2";
        object::Value document =
            v2 ? open_api_v2(arena) : open_api_v3(std::string_view(key.name).substr(3), arena);
        if (document.is_absent()) return nullptr;
        std::string json = object::to_json(document) + "\n";
        std::string etag = etag_of(json);
        if (key.form == Form::protobuf) {
            json.clear();
            json.shrink_to_fit();
            json = v2 ? open_api_v2_protobuf(document) : open_api_v3_protobuf(document);
        }
        entry = keep(key, json, std::move(etag));
    }
    return entry;
}

std::shared_ptr<const OpenApi::Entry> OpenApi::make_index(const Key& key) {
    object::Arena arena;
    object::Value paths = object::Value::map(arena);
    for (const std::string& name : open_api_v3_names()) {
        Key part{"v3/" + name, Form::json};
        std::shared_ptr<const Entry> entry = cached(part);
        if (!entry) entry = make(part);
        if (!entry) continue;
        object::Value url = object::Value::map(arena);
        url.append(arena, "serverRelativeURL",
                   object::Value::string(arena, document_url(part.name, entry->etag)));
        paths.append(arena, arena.copy(name), url);
    }
    object::Value document = object::Value::map(arena);
    document.append(arena, "paths", paths);
    std::string json = object::to_json(document);
    std::string etag = etag_of(json);
    return keep(key, json, std::move(etag));
}

}  // namespace keelson::api
