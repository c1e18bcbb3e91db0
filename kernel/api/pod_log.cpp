// The logs of containers, whole or followed.
#include <charconv>
#include <optional>

#include "kernel/api/options.h"
#include "kernel/api/pod_target.h"
#include "kernel/api/streams_handler.h"
#include "kernel/object/field_errors.h"
#include "kernel/object/time_format.h"
#include "kernel/resource/errors.h"

namespace keelson::api {
namespace {

using base::Result;
using base::Status;
using base::Task;
using object::FieldErrors;
using object::FieldPath;
using resource::Call;

struct LogQuery {
    node::LogOptions options;
    std::optional<std::int64_t> since_seconds;
    std::optional<base::WallTime> since_time;
    bool previous = false;
};

constexpr std::string_view kMustBePositive = "must be greater than 0";
// Longer ago than anything; keeps the subtraction from "now" in range.
constexpr std::int64_t kLongestSinceSeconds = std::int64_t{100} * 365 * 24 * 3600;

Status malformed(const Call& call, const FieldErrors& errors) {
    return object::invalid_status("", "PodLogOptions", call.name, errors);
}

void check_stream(const LogQuery& query, FieldErrors& errors) {
    const std::string& stream = query.options.stream;
    if (stream.empty() || stream == "All") return;
    const FieldPath path("stream");
    if (stream != "Stdout" && stream != "Stderr")
        errors.not_supported(path, stream, {"All", "Stderr", "Stdout"});
    else if (query.options.tail_lines)
        errors.forbidden(FieldPath(), "`tailLines` and specific `stream` are mutually exclusive for now");
}

Result<void> check(const Call& call, const LogQuery& query) {
    FieldErrors errors;
    const node::LogOptions& options = query.options;
    if (options.tail_lines && *options.tail_lines < 0)
        errors.invalid(FieldPath("tailLines"), *options.tail_lines, "must be greater than or equal to 0");
    if (options.limit_bytes && *options.limit_bytes < 1)
        errors.invalid(FieldPath("limitBytes"), *options.limit_bytes, kMustBePositive);
    if (query.since_seconds && query.since_time)
        errors.forbidden(FieldPath(), "at most one of `sinceTime` or `sinceSeconds` may be specified");
    else if (query.since_seconds && *query.since_seconds < 1)
        errors.invalid(FieldPath("sinceSeconds"), *query.since_seconds, kMustBePositive);
    check_stream(query, errors);
    if (errors.empty()) return base::ok();
    return malformed(call, errors);
}

Result<LogQuery> parse_query(const Request& request, const Call& call, base::WallTime now) {
    LogQuery query;
    query.previous = query_flag(request, "previous");
    query.options.follow = query_flag(request, "follow");
    query.options.timestamps = query_flag(request, "timestamps");
    query.options.stream = request.query_value("stream");
    KEELSON_TRY(query.options.tail_lines, query_integer(request, "tailLines"));
    KEELSON_TRY(query.options.limit_bytes, query_integer(request, "limitBytes"));
    KEELSON_TRY(query.since_seconds, query_integer(request, "sinceSeconds"));
    if (const std::string_view text = request.query_value("sinceTime"); !text.empty()) {
        const auto time = object::parse_time(text);
        if (!time) return resource::bad_request(time.error().message());
        query.since_time = object::wall_time_of(*time);
    }
    KEELSON_TRY_VOID(check(call, query));
    query.options.since = query.since_time;
    if (query.since_seconds)
        query.options.since =
            now - std::chrono::seconds(std::min(*query.since_seconds, kLongestSinceSeconds));
    return query;
}

// As the kubelet's address would be written: what a client is told when the node is not there.
Status unreachable_log(const std::string& endpoint, const PodTarget& target) {
    return {base::Reason::unknown, "Get \"https://" + endpoint + "/containerLogs/" +
                                       target.query.namespace_name + "/" + target.query.pod + "/" +
                                       target.query.container + "\": " + refused_text(endpoint)};
}

Task<void> send(Exchange& exchange, std::shared_ptr<node::LogReader> reader) {
    // Fails before the answer begins if it fails at all, mostly.
    auto reading = reader->next();
    Result<std::string> text = co_await reading;
    if (!text) {
        exchange.respond(status_response(text.error()));
        co_return;
    }
    std::string type = "text/plain";
    auto beginning = exchange.begin_stream(200, type);
    Result<void> sent = co_await beginning;
    while (sent && text && !text->empty()) {
        BodyPiece piece = std::make_shared<const std::string>(std::move(*text));
        auto writing = exchange.write(piece);
        sent = co_await writing;
        if (!sent) break;
        auto going_on = reader->next();
        text = co_await going_on;
    }
    if (sent) co_await exchange.end_stream();
}

// What was there of a log before its node went away is not to be had; a pod without a node has none yet.
Task<Result<std::shared_ptr<node::LogReader>>> open(Exchange& exchange, StreamParts parts, const Call& call) {
    const base::WallTime now = exchange.executor().clock().wall_now();
    KEELSON_CO_TRY(LogQuery query, parse_query(exchange.request(), call, now));
    object::Arena arena;
    KEELSON_CO_TRY(PodTarget target, find_pod(parts.lookup, call, arena));
    KEELSON_CO_TRY_VOID(choose_container(target, exchange.request().query_value("container")));
    if (target.node.empty()) co_return std::shared_ptr<node::LogReader>();
    const NodeGate::Node* node = parts.nodes.find(target.node);
    if (node == nullptr) {
        KEELSON_CO_TRY(const std::string endpoint, node_endpoint(parts.lookup, target.node));
        co_return unreachable_log(endpoint, target);
    }
    auto opening = node->streams.logs(target.query, query.previous, query.options);
    co_return co_await opening;
}

}  // namespace

Task<void> serve_pod_log(Exchange& exchange, StreamParts parts, const Call& call) {
    auto opening = open(exchange, parts, call);
    Result<std::shared_ptr<node::LogReader>> reader = co_await opening;
    if (!reader) {
        exchange.respond(status_response(reader.error()));
        co_return;
    }
    if (!*reader) {
        exchange.respond(Response(204, "", ""));
        co_return;
    }
    exchange.on_close([reader = *reader] { reader->stop(); });
    auto sending = send(exchange, *reader);
    co_await sending;
    // A reader that nobody reads must not go on looking.
    (*reader)->stop();
}

}  // namespace keelson::api
