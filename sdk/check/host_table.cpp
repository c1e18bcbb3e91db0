#include "host_table.h"

#include <algorithm>
#include <chrono>
#include <mutex>
#include <string_view>

#include "replies.h"

namespace keelson::check {
namespace {

std::mutex complaints_lock;
std::vector<std::string> complaints;
int context_mark = 0;

void complain(std::string text) {
    const std::lock_guard held(complaints_lock);
    const bool is_new = std::find(complaints.begin(), complaints.end(), text) == complaints.end();
    if (is_new && complaints.size() < 20) complaints.push_back(std::move(text));
}

void check_context(void* context, const char* function) {
    if (context != &context_mark) complain(std::string(function) + "() without the host's context");
}

std::string_view view_of(keelson_bytes bytes) {
    return bytes.data == nullptr ? std::string_view() : std::string_view(bytes.data, bytes.size);
}

void log(void* context, std::int32_t level, keelson_bytes message) {
    check_context(context, "log");
    if (level < KEELSON_LOG_DEBUG || level > KEELSON_LOG_ERROR) complain("log() with an unknown level");
    if (!is_utf8(view_of(message))) complain("log() of something that is not UTF-8");
}

bool is_metric_name(const char* name) {
    const std::string_view text = name == nullptr ? "" : name;
    return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == text.npos;
}

void metric(void* context, std::int32_t kind, const char* name, double, keelson_bytes labels) {
    check_context(context, "metric");
    if (kind < KEELSON_COUNTER || kind > KEELSON_HISTOGRAM) complain("metric() of an unknown kind");
    if (!is_metric_name(name)) complain("metric() with a name that is not [a-z0-9_]+");
    if (labels.size != 0 && !is_one_object(view_of(labels)))
        complain("metric() with labels that are no object");
}

void event(void* context, keelson_bytes document) {
    check_context(context, "event");
    if (!is_one_object(view_of(document))) complain("event() of something that is not one JSON object");
}

void request_reconcile(void* context, keelson_bytes key) {
    check_context(context, "request_reconcile");
    if (!is_utf8(view_of(key))) complain("request_reconcile() with a key that is not UTF-8");
}

template <typename Clock>
std::int64_t now_us(void*) {
    return std::chrono::duration_cast<std::chrono::microseconds>(Clock::now().time_since_epoch()).count();
}

const void* service(void*, const char*) {
    return nullptr;
}

}  // namespace

const keelson_host* full_host_table(const char* state_directory) {
    static keelson_host table;
    table = {sizeof table,
             &context_mark,
             log,
             metric,
             event,
             request_reconcile,
             state_directory,
             now_us<std::chrono::steady_clock>,
             now_us<std::chrono::system_clock>,
             service,
             "node"};
    return &table;
}

std::vector<std::string> host_complaints() {
    const std::lock_guard held(complaints_lock);
    return complaints;
}

}  // namespace keelson::check
