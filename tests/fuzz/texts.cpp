// Targets for small texts: quantities, durations, times, selectors, continue tokens.
#include "kernel/base/base64.h"
#include "kernel/base/sync_wait.h"
#include "kernel/object/quantity.h"
#include "kernel/object/selector.h"
#include "kernel/object/time_format.h"
#include "kernel/resource/field_labels.h"
#include "kernel/resource/listing.h"
#include "kernel/store/memory.h"
#include "tests/fuzz/targets.h"

namespace keelson::fuzz {

void quantity(std::string_view input) {
    auto first = object::Quantity::parse(input);
    if (!first) return;
    std::string text = first->to_string();
    auto second = object::Quantity::parse(text);
    FUZZ_CHECK(second);
    // As in Go, amounts with more digits than an int64 has are capped when they are read.
    bool is_ordinary = first->compare(INT64_MAX) <= 0 && first->compare(-INT64_MAX) >= 0;
    if (is_ordinary) {
        FUZZ_CHECK(*second == *first);
        // What has a binary suffix may lose it ("1000.5Ki" is 1024512) and is decimal from then on.
        auto third = object::Quantity::parse(second->to_string());
        FUZZ_CHECK(third && third->to_string() == second->to_string());
    }
    object::Quantity sum = *first;
    sum.add(*second);
    FUZZ_CHECK(sum.sign() == first->sign());
    sum = *first;
    sum.subtract(*first);
    FUZZ_CHECK(sum.is_zero());
    (void)first->value();
    (void)first->milli_value();
    (void)first->is_integer();
    (void)first->approximate();
}

void duration(std::string_view input) {
    auto first = object::parse_duration(input);
    if (!first) return;
    (void)object::human_duration(*first);
    std::string text = object::format_duration(*first);
    auto second = object::parse_duration(text);
    FUZZ_CHECK(second);
    FUZZ_CHECK(*second == *first);
}

void time(std::string_view input) {
    auto first = object::parse_time(input);
    if (!first) return;
    std::string text = object::format_micro_time(*first);
    auto second = object::parse_time(text);
    FUZZ_CHECK(second);
    FUZZ_CHECK(second->seconds == first->seconds);
    FUZZ_CHECK(object::format_micro_time(*second) == text);
    auto third = object::parse_time(object::format_time(*first));
    FUZZ_CHECK(third);
    FUZZ_CHECK(third->seconds == first->seconds);
}

void label_selector(std::string_view input) {
    std::string_view rest = input;
    std::string_view labels = take_line(rest);
    auto first = object::LabelSelector::parse(rest);
    if (!first) return;
    std::string text = first->to_string();
    auto second = object::LabelSelector::parse(text);
    FUZZ_CHECK(second);
    FUZZ_CHECK(second->to_string() == text);
    object::Arena arena;
    object::Value map = object::Value::map(arena);
    for (std::size_t at = 0; at + 1 < labels.size(); at += 2)
        map.set(arena, labels.substr(at, 1), object::Value::reference(labels.substr(at + 1, 1)));
    FUZZ_CHECK(first->matches(map) == second->matches(map));
}

void field_selector(std::string_view input) {
    auto parsed = object::FieldSelector::parse(input);
    if (parsed) {
        auto echo = [](std::string_view path) { return std::string(path); };
        (void)parsed->matches(echo);
    }
    for (const object::Resource& resource : object::builtin_resources()) {
        auto checked = resource::parse_field_selector(resource, input);
        if (checked) FUZZ_CHECK(parsed);
    }
}

namespace {

// Pods of two namespaces, a few revisions of which are compacted.
store::Store& sample_store() {
    static const std::unique_ptr<store::Store> store = [] {
        auto made = store::make_memory_store({.keep_history = base::Duration::zero()});
        base::SimulatedExecutor executor;
        for (int i = 0; i < 12; ++i) {
            store::Operation put;
            put.key = std::string("core/pods/") + (i % 2 ? "a/p" : "b/p") + std::to_string(i);
            put.bytes = R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","resourceVersion":""}})";
            put.header.revision_offset = 73;
            put.header.metadata_offset = 43;
            put.header.metadata_length = 32;
            store::Transaction transaction;
            transaction.operations.push_back(std::move(put));
            auto committed = base::sync_wait(executor, made->commit(std::move(transaction)));
            FUZZ_CHECK(committed && !committed->conflict);
        }
        FUZZ_CHECK(base::sync_wait(executor, made->compact(6)));
        return made;
    }();
    return *store;
}

void list_with_token(std::string token) {
    resource::Call call;
    call.resource = object::find_resource("", "v1", "pods");
    call.namespace_name = "a";
    resource::ListOptions options;
    options.limit = 2;
    options.continue_token = std::move(token);
    auto listing = resource::Listing::start(sample_store(), call, options);
    if (!listing) return;
    for (int steps = 0; steps < 100; ++steps) {
        auto more = listing->step([&](const store::Record& record) {
            // A token of someone's making must not lead out of the namespace.
            FUZZ_CHECK(record.key.starts_with("core/pods/a/"));
        });
        if (!more || !*more) break;
    }
    (void)listing->continue_token();
}

}  // namespace

void continue_token(std::string_view input) {
    list_with_token(std::string(input));
    list_with_token(base::base64_encode(input, base::Base64::url));
}

}  // namespace keelson::fuzz
