#include "tests/resource/cluster.h"

#include <gtest/gtest.h>

#include "kernel/base/sync_wait.h"
#include "kernel/object/json.h"
#include "kernel/resource/bootstrap.h"
#include "kernel/resource/codec.h"
#include "kernel/store/memory.h"

namespace keelson::resource {

using base::sync_wait;
using object::Arena;

Cluster::Cluster(NetworkSettings settings, std::uint64_t seed)
    : executor(seed), random(seed), network(std::move(settings)) {
    store::MemoryOptions options;
    options.clock = &executor.clock();
    store = store::make_memory_store(options);
    restart();
    BootstrapSettings bootstrap_settings;
    auto done = sync_wait(executor, bootstrap(*verbs, bootstrap_settings));
    EXPECT_TRUE(done) << done.error().message();
    // Pods need one.
    (void)create({"v1/serviceaccounts", "default", ""}, R"({"metadata":{"name":"default"}})");
}

void Cluster::restart() {
    subresources.reset();
    verbs = std::make_unique<Verbs>(*store, executor.clock(), random, network);
    subresources = std::make_unique<Subresources>(*verbs, nullptr, nullptr);
}

Call Cluster::call_of(const Target& target) {
    std::vector<std::string_view> parts;
    std::string_view rest = target.resource;
    for (std::size_t slash; (slash = rest.find('/')) != std::string_view::npos; rest.remove_prefix(slash + 1))
        parts.push_back(rest.substr(0, slash));
    parts.push_back(rest);
    bool core = parts[0].starts_with('v');
    if (core) parts.insert(parts.begin(), "");
    Call call;
    call.identity = {"tester", "", {"system:masters", "system:authenticated"}, {}};
    call.resource = object::find_resource(parts[0], parts[1], parts[2]);
    EXPECT_NE(call.resource, nullptr) << target.resource;
    if (parts.size() > 3) {
        call.subresource = call.resource->subresource(parts[3]);
        EXPECT_NE(call.subresource, nullptr) << target.resource;
    }
    call.namespace_name = target.namespace_name;
    call.name = target.name;
    return call;
}

Outcome Cluster::outcome_of(base::Result<ObjectAnswer> answer, std::vector<std::string> warnings) {
    Outcome outcome;
    outcome.warnings = std::move(warnings);
    if (!answer) {
        outcome.code = answer.error().code();
        outcome.error = answer.error().message();
        outcome.reason = answer.error().reason();
        if (answer.error().details()) outcome.causes = answer.error().details()->causes;
        return outcome;
    }
    outcome.code = answer->code;
    outcome.json = answer->json;
    auto root = object::parse_json_copy(outcome.json, outcome.document->arena);
    EXPECT_TRUE(root) << outcome.json;
    if (root) outcome.document->root = *root;
    return outcome;
}

Outcome Cluster::get(const Target& target) {
    Call call = call_of(target);
    auto task = Subresources::handles(call) ? subresources->get(call) : verbs->get(call);
    return outcome_of(sync_wait(executor, std::move(task)), call.warnings);
}

Outcome Cluster::create(const Target& target, std::string_view json, const WriteOptions& options) {
    Call call = call_of(target);
    Arena arena;
    Body body{*object::parse_json_copy(json, arena), {}};
    auto task = Subresources::handles(call) ? subresources->create(call, body, options, arena)
                                            : verbs->create(call, body, options, arena);
    auto answer = sync_wait(executor, std::move(task));
    return outcome_of(std::move(answer), call.warnings);
}

Outcome Cluster::update(const Target& target, std::string_view json, const WriteOptions& options) {
    Call call = call_of(target);
    Arena arena;
    Body body{*object::parse_json_copy(json, arena), {}};
    auto task = Subresources::handles(call) ? subresources->update(call, body, options, arena)
                                            : verbs->update(call, body, options, arena);
    auto answer = sync_wait(executor, std::move(task));
    return outcome_of(std::move(answer), call.warnings);
}

Outcome Cluster::patch(const Target& target, PatchType type, std::string_view json,
                       const WriteOptions& options) {
    Call call = call_of(target);
    Arena arena;
    Body body{*object::parse_json_copy(json, arena), {}};
    auto task = Subresources::handles(call) ? subresources->patch(call, type, body, options)
                                            : verbs->patch(call, type, body, options);
    auto answer = sync_wait(executor, std::move(task));
    return outcome_of(std::move(answer), call.warnings);
}

Outcome Cluster::remove(const Target& target, const DeleteOptions& options) {
    Call call = call_of(target);
    auto answer = sync_wait(executor, verbs->remove(call, options));
    return outcome_of(std::move(answer), call.warnings);
}

Cluster::Page Cluster::list(const Target& target, const ListOptions& options) {
    Call call = call_of(target);
    Page page;
    auto fail = [&](const base::Status& status) {
        page.error = status.message();
        page.reason = status.reason();
        return page;
    };
    auto listing = Listing::start(*store, call, options);
    if (!listing) return fail(listing.error());
    while (true) {
        auto more = listing->step([&](const store::Record& record) {
            page.names.emplace_back(parts_of(*call.resource, record.key).name);
        });
        if (!more) return fail(more.error());
        if (!*more) break;
    }
    page.continue_token = listing->continue_token();
    page.revision = listing->revision();
    page.remaining = listing->remaining();
    return page;
}

std::string pod_json(std::string_view name, std::string_view more_metadata, std::string_view more_spec) {
    return R"({"kind":"Pod","apiVersion":"v1","metadata":{"name":")" + std::string(name) + "\"" +
           std::string(more_metadata) + R"(},"spec":{"containers":[{"name":"c","image":"i"}])" +
           std::string(more_spec) + "}}";
}

}  // namespace keelson::resource
