#include "kernel/resource/verbs.h"

#include <charconv>

#include "kernel/object/conform.h"
#include "kernel/object/json.h"
#include "kernel/object/managed_fields.h"
#include "kernel/object/time_format.h"
#include "kernel/object/validation/validation.h"
#include "kernel/resource/admission/admission.h"
#include "kernel/resource/codec.h"
#include "kernel/resource/convert.h"
#include "kernel/resource/decode_body.h"
#include "kernel/resource/deletion.h"
#include "kernel/resource/errors.h"
#include "kernel/resource/strategy.h"

namespace keelson::resource {

using base::Reason;
using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Resource;
using object::Value;

namespace {

// How often a write is tried again after another writer was faster.
constexpr int kConflictAttempts = 8;
constexpr int kGenerateNameAttempts = 8;
constexpr std::size_t kGeneratedPrefixLimit = 58;

Result<void> check_namespace(const Call& call, Value object, Arena& arena) {
    Value metadata = object.child_map(arena, "metadata");
    std::string_view have = metadata["namespace"].as_string();
    if (have == call.namespace_name) return base::ok();
    if (call.namespace_name.empty()) {
        metadata.erase("namespace");
        return base::ok();
    }
    if (!have.empty())
        return bad_request(
            "the namespace of the provided object does not match the namespace sent on the request");
    metadata.set(arena, "namespace", Value::string(arena, call.namespace_name));
    return base::ok();
}

Result<void> check_name(const Call& call, Value object) {
    std::string_view have = object["metadata"]["name"].as_string();
    if (have == call.name) return base::ok();
    if (have.empty())
        return bad_request("the name of the object (" + call.name +
                           " based on URL) was undeterminable: name must be provided");
    return bad_request("the name of the object (" + std::string(have) +
                       ") does not match the name on the URL (" + call.name + ")");
}

std::span<const std::string_view> reset_fields(const Call& call) {
    return call.subresource_name() == "status" ? call.resource->reset_status : call.resource->reset_main;
}

object::FieldManager manager_of(const Call& call, const WriteOptions& options, std::string_view time) {
    return {
        options.field_manager.empty() ? std::string_view("unknown") : std::string_view(options.field_manager),
        object::api_version_of(*call.resource), call.subresource_name(), time};
}

// Records the managers of an object whose empty lists and maps are still there for validation to see.
void track(const object::Type& type, Value live, Value object, const object::FieldManager& manager,
           std::span<const std::string_view> reset, Arena& arena) {
    Value stored_form = object::canonical(type, object, arena, object::EmptyLists::omit);
    object::track_update(type, live, stored_form, manager, reset, arena);
    Value managed = stored_form["metadata"]["managedFields"];
    Value metadata = object.child_map(arena, "metadata");
    if (managed.is_set())
        metadata.set(arena, "managedFields", managed);
    else
        metadata.erase("managedFields");
}

// Kinds are validated in the version that is stored, but for events, whose versions have rules of their own.
Result<object::FieldErrors> validate_new(const Resource& requested, Value object, Arena& arena) {
    const Resource& stored = storage_of(requested);
    if (&stored == &requested || stored.kind != "Event")
        return object::validate_create(stored, object, arena);
    KEELSON_TRY(Value converted, convert(stored, requested, object, arena));
    return object::validate_create(requested, converted, arena);
}

// Renewing a lease and recording events need not reach the disk at once.
store::Durability durability_of(const Resource& resource, Value object, Value old) {
    if (resource.name == "events") return store::Durability::deferred;
    if (resource.name != "leases" || old.is_unset()) return store::Durability::durable;
    bool only_renewed = object["spec"]["holderIdentity"].equals(old["spec"]["holderIdentity"]) &&
                        object["metadata"]["deletionTimestamp"].is_unset();
    return only_renewed ? store::Durability::deferred : store::Durability::durable;
}

std::string json_without_revision(const Encoded& encoded) {
    constexpr std::string_view kMember = "\"resourceVersion\":\"";
    std::string text = encoded.bytes;
    std::size_t start = encoded.header.revision_offset - kMember.size();
    std::size_t length = kMember.size() + 1;
    if (text[start + length] == ',')
        ++length;
    else if (text[start - 1] == ',')
        --start, ++length;
    return text.erase(start, length);
}

Result<ObjectAnswer> dry_answer(const Call& call, const Encoded& encoded, store::Revision revision,
                                int code) {
    std::string text;
    if (revision == 0) {
        text = json_without_revision(encoded);
    } else {
        append_json({{}, encoded.bytes, encoded.header, 0, revision}, WithKind::yes, text);
    }
    const Resource& stored = storage_of(*call.resource);
    if (&stored == call.resource) return ObjectAnswer{code, call.resource->type, std::move(text)};
    Arena arena;
    KEELSON_TRY(Value value, object::parse_json(text, arena));
    KEELSON_TRY(Value converted, convert(stored, *call.resource, value, arena));
    return ObjectAnswer{code, call.resource->type, object::to_json(converted)};
}

// What a deletion answers that gives no object back.
std::string deletion_status(const Call& call, std::string_view uid) {
    std::string json = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",";
    json += "\"details\":{\"name\":";
    object::write_json_string(call.name, json);
    if (!call.resource->group.empty()) {
        json += ",\"group\":";
        object::write_json_string(call.resource->group, json);
    }
    json += ",\"kind\":";
    object::write_json_string(call.resource->name, json);
    json += ",\"uid\":";
    object::write_json_string(uid, json);
    json += "}}";
    return json;
}

}  // namespace

// An object that passed everything, and the operations that write it.
struct Verbs::Pending {
    Encoded encoded;
    std::vector<store::Operation> operations;  // the object itself first
    store::Durability durability = store::Durability::durable;
    bool unchanged = false;
    bool removes = false;
};

Verbs::Verbs(store::Store& store, base::Clock& clock, base::RandomSource& random, NetworkSettings network)
    : store_(store),
      clock_(clock),
      random_(random),
      network_(std::move(network)),
      lookup_(store),
      services_(lookup_, random_, network_) {}

std::string Verbs::now() const {
    auto since = std::chrono::floor<std::chrono::seconds>(clock_.wall_now().time_since_epoch());
    return object::format_time({since.count(), 0});
}

Result<ObjectAnswer> answer_with(const Resource& requested, const store::Record& record, int code) {
    ObjectAnswer answer{code, requested.type, {}};
    const Resource& stored = storage_of(requested);
    if (&stored == &requested) {
        answer.json.reserve(record.bytes.size() + 24);
        append_json(record, WithKind::yes, answer.json);
        return answer;
    }
    Arena arena;
    KEELSON_TRY(Value value, decode(record, arena));
    KEELSON_TRY(Value converted, convert(stored, requested, value, arena));
    object::write_json(converted, answer.json);
    return answer;
}

Task<Result<ObjectAnswer>> Verbs::get(const Call& call, std::string_view resource_version) {
    // A local store is always up to date; a later revision than the current one cannot have been seen by
    // anyone.
    if (!resource_version.empty()) {
        std::string text(resource_version);
        store::Revision wanted = 0;
        auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), wanted);
        bool too_large = problem == std::errc::result_out_of_range;
        if (problem != std::errc() || end != text.data() + text.size())
            co_return bad_request("resourceVersion: Invalid value: \"" + text +
                                  "\": strconv.ParseUint: parsing \"" + text +
                                  (too_large ? "\": value out of range" : "\": invalid syntax"));
        if (wanted > store_.current())
            co_return Status(Reason::timeout, "Timeout: Too large resource version: " + text +
                                                  ", current: " + std::to_string(store_.current()))
                .with_details(
                    {"", "", "", "", {{"ResourceVersionTooLarge", "Too large resource version", ""}}, 1});
    }
    KEELSON_CO_TRY_VOID(co_await store_.read_barrier());
    KEELSON_CO_TRY(auto record, store_.get(key_of(*call.resource, call.namespace_name, call.name)));
    if (!record) co_return not_found(*call.resource, call.name);
    co_return answer_with(*call.resource, view(*record));
}

Result<void> Verbs::charge(const Call& call, Value object, Value old, Pending& pending, Arena& arena) const {
    KEELSON_TRY(auto charges, charge_quotas(call, object, old, lookup_, clock_.wall_now(), arena));
    for (store::Operation& operation : charges) pending.operations.push_back(std::move(operation));
    return base::ok();
}

Result<Verbs::Pending> Verbs::prepare_new(Call& call, Value object, bool dry_run, Arena& arena) {
    const Resource& stored = storage_of(*call.resource);
    AdmissionRequest admission{Operation::create, call, object, Value(), lookup_, arena, random_};
    KEELSON_TRY_VOID(admit_mutating(admission));
    std::string uid = base::make_uuid(random_);
    std::string_view time = arena.copy(now());
    std::string wanted_version = object["metadata"]["resourceVersion"].to_string();
    prepare_create(stored, object, uid, {arena, time, call.identity});
    Pending pending;
    // As in Kubernetes, addresses are chosen before the object is validated with them.
    if (stored.kind == "Service") {
        KEELSON_TRY(pending.operations, services_.plan(object, Value(), time, dry_run, arena));
    }
    object = object::canonical(*stored.type, object, arena, object::EmptyLists::keep);
    KEELSON_TRY(object::FieldErrors errors, validate_new(*call.resource, object, arena));
    std::string_view name = object["metadata"]["name"].as_string();
    if (!errors.empty()) return object::invalid_status(stored.group, stored.kind, name, errors);
    admission.object = object;
    KEELSON_TRY_VOID(admit_validating(admission));
    object = object::canonical(*stored.type, object, arena);
    KEELSON_TRY_VOID(charge(call, object, Value(), pending, arena));
    for (std::string& warning : object::warnings(stored, object, Value()))
        call.warnings.push_back(std::move(warning));
    if (!wanted_version.empty())
        return Status(Reason::unknown, "resourceVersion should not be set on objects to be created");
    pending.encoded = encode(stored, object);
    pending.durability = durability_of(stored, object, Value());
    store::Operation put;
    put.key = key_of(*call.resource, call.namespace_name, name);
    put.expected = 0;
    put.bytes = pending.encoded.bytes;
    put.header = pending.encoded.header;
    pending.operations.insert(pending.operations.begin(), std::move(put));
    return pending;
}

Task<Result<void>> Verbs::judge(const Call& call, Value object, Value old, std::string requested_name) const {
    if (role_guard_ != nullptr && RoleGuard::concerns(call))
        co_return co_await role_guard_->check(call, object, old, std::move(requested_name));
    if (signer_guard_ != nullptr && SignerGuard::concerns(call))
        co_return co_await signer_guard_->check(call, object, old);
    co_return base::ok();
}

Task<Result<void>> Verbs::note_priority_level(const Call& call) {
    Arena arena;
    std::string name = call.name;
    KEELSON_CO_TRY(Value schema, lookup_.get(call.resource->group, "flowschemas", "", name, arena));
    std::string level = schema["spec"]["priorityLevelConfiguration"]["name"].to_string();
    KEELSON_CO_TRY(Value found,
                   lookup_.get(call.resource->group, "prioritylevelconfigurations", "", level, arena));
    bool exists = found.is_set();
    std::string message = "This FlowSchema references the PriorityLevelConfiguration object named \"" +
                          level + (exists ? "\" and it exists" : "\" but there is no such object");
    std::string json =
        R"({"apiVersion":"flowcontrol.apiserver.k8s.io/v1","kind":"FlowSchema","metadata":{"name":)";
    object::write_json_string(name, json);
    json += R"(},"status":{"conditions":[{"type":"Dangling","status":")" +
            std::string(exists ? "False" : "True") + R"(","reason":")" + (exists ? "Found" : "NotFound") +
            R"(","lastTransitionTime":")" + now() + R"(","message":)";
    object::write_json_string(message, json);
    json += "}]}}";
    Body patch_body;
    KEELSON_CO_TRY(patch_body.value, object::parse_json(json, arena));
    Call status_call = call;
    status_call.identity = access::api_server_identity();
    status_call.subresource = call.resource->subresource("status");
    WriteOptions options;
    options.force = true;
    options.field_manager = "api-priority-and-fairness-config-consumer-v1";
    KEELSON_CO_TRY_VOID(co_await patch(status_call, PatchType::apply, patch_body, options));
    co_return base::ok();
}

Task<Result<ObjectAnswer>> Verbs::create_object(Call& call, Value object, const WriteOptions& options,
                                                Arena& arena) {
    // Kept apart from the object: admission and allocation start afresh when a generated name is taken.
    std::string prefix = object["metadata"]["name"].as_string().empty()
                             ? object["metadata"]["generateName"].to_string()
                             : std::string();
    int attempts = prefix.empty() ? 1 : kGenerateNameAttempts;
    KEELSON_CO_TRY(const bool may_charge, may_charge_quota(call, lookup_));
    QuotaGate::Pass pass;
    if (may_charge && !options.dry_run) {
        auto entering = quota_gate_.enter(call.namespace_name);
        pass = co_await entering;
    }
    // Only these are tried again.
    bool repeatable = !prefix.empty() || call.resource->kind == "Service" || may_charge;
    for (int attempt = 1;; ++attempt) {
        Value candidate = repeatable ? object.clone(arena) : object;
        if (!prefix.empty())
            candidate["metadata"].set(arena, "name",
                                      Value::string(arena, prefix.substr(0, kGeneratedPrefixLimit) +
                                                               base::make_random_suffix(5, random_)));
        std::size_t warnings = call.warnings.size();
        KEELSON_CO_TRY(Pending pending, prepare_new(call, candidate, options.dry_run, arena));
        if (options.dry_run) {
            KEELSON_CO_TRY(auto taken, store_.get(pending.operations.front().key));
            if (taken) co_return already_exists(*call.resource, parts_of(*call.resource, taken->key).name);
            co_return dry_answer(call, pending.encoded, 0, 201);
        }
        std::string key = pending.operations.front().key;
        store::Transaction transaction{std::move(pending.operations), pending.durability};
        KEELSON_CO_TRY(store::CommitResult result, co_await store_.commit(std::move(transaction)));
        if (!result.conflict) {
            if (call.resource->kind == "FlowSchema") KEELSON_CO_TRY_VOID(co_await note_priority_level(call));
            store::Record record{key, pending.encoded.bytes, pending.encoded.header, result.revision,
                                 result.revision};
            co_return answer_with(*call.resource, record, 201);
        }
        bool name_taken = result.conflict->operation == 0;
        if (name_taken && attempt >= attempts)
            co_return already_exists(*call.resource, parts_of(*call.resource, key).name);
        if (!name_taken && attempt >= attempts + kConflictAttempts)
            co_return internal_error(
                "addresses or quota were taken faster than they could be allocated; try again");
        call.warnings.resize(warnings);
    }
}

Task<Result<ObjectAnswer>> Verbs::create(Call& call, const Body& body, const WriteOptions& options,
                                         Arena& arena) {
    ExpectedKind expected = expected_kind(call);
    KEELSON_CO_TRY(Value object, decode_body(expected, body, options.field_validation, call, arena));
    KEELSON_CO_TRY_VOID(check_namespace(call, object, arena));
    KEELSON_CO_TRY_VOID(co_await judge(call, object, Value(), call.name));
    if (call.name.empty()) call.name = object["metadata"]["name"].to_string();
    track(*expected.type, Value(), object, manager_of(call, options, arena.copy(now())), reset_fields(call),
          arena);
    KEELSON_CO_TRY(object, convert(*call.resource, storage_of(*call.resource), object, arena));
    co_return co_await create_object(call, object, options, arena);
}

Result<Verbs::Pending> Verbs::prepare_changed(Call& call, Value object, Value old,
                                              const store::OwnedRecord& current, bool dry_run, Arena& arena) {
    const Resource& stored = storage_of(*call.resource);
    std::string_view subresource = call.subresource_name();
    // Binding and eviction change what clients may not; their own code has checked what they do.
    bool by_the_server = subresource == "binding" || subresource == "eviction";
    AdmissionRequest admission{Operation::update, call, object, old, lookup_, arena, random_};
    KEELSON_TRY_VOID(admit_mutating(admission));
    std::string_view time = arena.copy(now());
    if (stored.kind == "Service") carry_over_allocations(object, old, arena);
    if (!by_the_server) prepare_update(stored, subresource, object, old, {arena, time, call.identity});
    Pending pending;
    if (stored.kind == "Service") {
        KEELSON_TRY(pending.operations, services_.plan(object, old, time, dry_run, arena));
    }
    object = object::canonical(*stored.type, object, arena, object::EmptyLists::keep);
    if (!by_the_server) {
        object::FieldErrors errors = object::validate_update(stored, object, old, subresource, arena);
        if (!errors.empty())
            return object::invalid_status(stored.group, stored.kind, object["metadata"]["name"].as_string(),
                                          errors);
    }
    admission.object = object;
    KEELSON_TRY_VOID(admit_validating(admission));
    object = object::canonical(*stored.type, object, arena);
    KEELSON_TRY_VOID(charge(call, object, old, pending, arena));
    if (!by_the_server)
        for (std::string& warning : object::warnings(stored, object, old))
            call.warnings.push_back(std::move(warning));
    pending.encoded = encode(stored, object);
    pending.removes = is_ready_to_go(stored, object);
    pending.unchanged = !pending.removes && pending.encoded.bytes == current.bytes;
    pending.durability = durability_of(stored, object, old);
    store::Operation write;
    write.kind = pending.removes ? store::Operation::Kind::remove : store::Operation::Kind::put;
    write.key = current.key;
    write.expected = current.modified;
    write.bytes = pending.encoded.bytes;
    write.header = pending.encoded.header;
    pending.operations.insert(pending.operations.begin(), std::move(write));
    if (pending.removes && stored.kind == "Service") {
        KEELSON_TRY(auto released, services_.release(old, arena));
        for (store::Operation& operation : released) pending.operations.push_back(std::move(operation));
    }
    return pending;
}

Task<Result<ObjectAnswer>> Verbs::change(Call& call, const Mutation& mutation, const WriteOptions& options,
                                         const Preconditions& preconditions, bool may_create) {
    const Resource& stored = storage_of(*call.resource);
    std::string key = key_of(*call.resource, call.namespace_name, call.name);
    std::size_t warnings = call.warnings.size();
    for (int attempt = 1;; ++attempt) {
        call.warnings.resize(warnings);
        Arena arena;
        KEELSON_CO_TRY(auto current, store_.get(key));
        if (!current && !may_create) co_return not_found(*call.resource, call.name);
        Value old, current_object;
        if (current) {
            KEELSON_CO_TRY(old, decode(view(*current), arena));
            KEELSON_CO_TRY(current_object, convert(stored, *call.resource, old, arena));
            KEELSON_CO_TRY_VOID(check_preconditions(*call.resource, old, preconditions));
        }
        KEELSON_CO_TRY(Change changed, mutation(current_object, arena));
        Value object = changed.object;
        KEELSON_CO_TRY_VOID(check_namespace(call, object, arena));
        KEELSON_CO_TRY_VOID(check_name(call, object));
        KEELSON_CO_TRY_VOID(co_await judge(call, object, current_object, call.name));
        if (!changed.tracks_managed_fields)
            track(*call.resource->type, current_object, object, manager_of(call, options, arena.copy(now())),
                  reset_fields(call), arena);
        std::string_view version = object["metadata"]["resourceVersion"].as_string();
        if (!current) {
            if (!version.empty() && version != "0") co_return modified_conflict(*call.resource, call.name);
            object["metadata"].erase("resourceVersion");
            KEELSON_CO_TRY(object, convert(*call.resource, stored, object, arena));
            co_return co_await create_object(call, object, options, arena);
        }
        bool conditional = !version.empty() && version != "0";
        std::string_view uid = object["metadata"]["uid"].as_string();
        if (!uid.empty() && uid != old["metadata"]["uid"].as_string())
            co_return conflict(call.resource->group, call.resource->name, call.name,
                               "Precondition failed: UID in precondition: " + std::string(uid) +
                                   ", UID in object meta: " + old["metadata"]["uid"].to_string());
        if (!conditional && !stored.unconditional_update) {
            object::FieldErrors errors;
            object::FieldPath metadata("metadata");
            errors.invalid(metadata.child("resourceVersion"), object::BadValue::raw("0"),
                           "must be specified for an update");
            // Kubernetes names the resource here, not the kind.
            co_return object::invalid_status(stored.group, stored.name, call.name, errors);
        }
        if (conditional && version != std::to_string(current->modified))
            co_return modified_conflict(*call.resource, call.name);
        KEELSON_CO_TRY(object, convert(*call.resource, stored, object, arena));
        KEELSON_CO_TRY(Pending pending, prepare_changed(call, object, old, *current, options.dry_run, arena));
        if (options.dry_run || pending.unchanged)
            co_return dry_answer(call, pending.encoded, current->modified, 200);
        store::Transaction transaction{std::move(pending.operations), pending.durability};
        KEELSON_CO_TRY(store::CommitResult result, co_await store_.commit(std::move(transaction)));
        if (!result.conflict)
            co_return answer_with(*call.resource, {key, pending.encoded.bytes, pending.encoded.header,
                                                   current->created, result.revision});
        if (attempt >= kConflictAttempts) co_return modified_conflict(*call.resource, call.name);
    }
}

Task<Result<ObjectAnswer>> Verbs::update(Call& call, const Body& body, const WriteOptions& options,
                                         Arena& arena) {
    ExpectedKind expected = expected_kind(call);
    KEELSON_CO_TRY(Value wanted, decode_body(expected, body, options.field_validation, call, arena));
    KEELSON_CO_TRY_VOID(check_name(call, wanted));
    Mutation mutation = [wanted](Value, Arena& scratch) -> Result<Change> {
        return Change{wanted.clone(scratch)};
    };
    bool may_create = call.resource->create_on_update && call.subresource == nullptr;
    co_return co_await change(call, mutation, options, {}, may_create);
}

Task<Result<ObjectAnswer>> Verbs::remove(Call& call, const DeleteOptions& options) {
    const Resource& stored = storage_of(*call.resource);
    std::string key = key_of(*call.resource, call.namespace_name, call.name);
    for (int attempt = 1;; ++attempt) {
        Arena arena;
        KEELSON_CO_TRY(auto current, store_.get(key));
        AdmissionRequest admission{Operation::remove, call, Value(), Value(), lookup_, arena, random_};
        KEELSON_CO_TRY_VOID(admit_validating(admission));
        if (!current) co_return not_found(*call.resource, call.name);
        KEELSON_CO_TRY(Value object, decode(view(*current), arena));
        std::string uid = object["metadata"]["uid"].to_string();
        KEELSON_CO_TRY(RemovalPlan plan, plan_removal(stored, object, options, clock_.wall_now(), arena));
        Encoded encoded = encode(stored, object::canonical(*stored.type, plan.object, arena));
        store::Revision revision = current->modified;
        const bool unchanged =
            plan.removal == Removal::later && encoded.bytes == view(*current).bytes;  // asked for before
        if (plan.removal != Removal::nothing && !unchanged && !options.dry_run) {
            store::Operation write;
            bool now = plan.removal == Removal::now;
            write.kind = now ? store::Operation::Kind::remove : store::Operation::Kind::put;
            write.key = key;
            write.expected = current->modified;
            write.bytes = encoded.bytes;
            write.header = encoded.header;
            store::Transaction transaction;
            transaction.operations.push_back(std::move(write));
            if (now && stored.kind == "Service") {
                KEELSON_CO_TRY(auto released, services_.release(object, arena));
                for (store::Operation& operation : released)
                    transaction.operations.push_back(std::move(operation));
            }
            transaction.durability = durability_of(stored, Value(), Value());
            KEELSON_CO_TRY(store::CommitResult result, co_await store_.commit(std::move(transaction)));
            if (result.conflict) {
                if (attempt >= kConflictAttempts) co_return modified_conflict(*call.resource, call.name);
                continue;
            }
            if (!now) revision = result.revision;
        }
        if (plan.removal == Removal::now && !stored.delete_returns_object) {
            co_return ObjectAnswer{200, object::find_type("meta/v1.Status"), deletion_status(call, uid)};
        }
        co_return answer_with(*call.resource,
                              {key, encoded.bytes, encoded.header, current->created, revision});
    }
}

}  // namespace keelson::resource
