#include "kernel/control/controller_history.h"

#include <algorithm>
#include <tuple>

#include "kernel/control/hashes.h"
#include "kernel/control/ownership.h"
#include "kernel/object/accessors/meta_v1.h"

namespace keelson::control {
namespace {

using api_types::apps_v1::ControllerRevision;
using api_types::apps_v1::StatefulSet;
using api_types::core_v1::PodTemplateSpec;
using api_types::meta_v1::ObjectMeta;
using base::Result;
using base::Status;
using base::Task;
using object::Arena;
using object::Document;
using object::Value;

constexpr Collection kRevisions = client::collections::controller_revisions;
constexpr std::size_t kLongestPrefix = 223;

ObjectMeta metadata_of(const ObjectPointer& object) {
    return ObjectMeta(object->root()["metadata"]);
}

bool is_before(const ObjectPointer& one, const ObjectPointer& other) {
    const auto rank = [](const ObjectPointer& object) {
        return std::tuple(controller_revision_of(object).revision(), metadata_of(object).creation_timestamp(),
                          std::string_view(object->key().name));
    };
    return rank(one) < rank(other);
}

class HistoryKeeper {
  public:
    HistoryKeeper(const Surroundings& surroundings, Writer& writer, const HistoryOwner& owner)
        : surroundings_(surroundings), writer_(writer), owner_(owner) {
        data_ = revision_data(owner.templ, arena_);
    }

    Task<Result<History>> run() {
        const Claim claim{owner_.owners, owner_.owner, kRevisions, owner_.selector, {}};
        auto claiming = claim_dependents(surroundings_, writer_, claim);
        KEELSON_CO_TRY(ObjectList all, co_await claiming);
        std::ranges::sort(all, is_before);
        const std::int64_t highest = all.empty() ? 0 : controller_revision_of(all.back()).revision();
        History history;
        for (const ObjectPointer& revision : all)
            if (controller_revision_of(revision).data().equals(data_)) history.current = revision;
        for (ObjectPointer& revision : all)
            if (revision != history.current) history.old.push_back(std::move(revision));
        if (owner_.owner->is_being_deleted()) co_return history;
        if (!history.current) {
            auto creating = create(highest + 1);
            KEELSON_CO_TRY_VOID(co_await creating);
        } else if (!history.old.empty() && is_before(history.current, history.old.back())) {
            auto raising = raise(history.current, highest + 1);
            KEELSON_CO_TRY_VOID(co_await raising);
            history.current = nullptr;
        }
        co_return history;
    }

  private:
    Value make(std::int64_t number, Arena& arena) const {
        const ControllerRevision revision(Value::map(arena));
        const ObjectMeta of_owner = metadata_of(owner_.owner);
        const ObjectMeta metadata = revision.make_metadata(arena);
        metadata.set_name(arena, std::string(of_owner.name().substr(0, kLongestPrefix)) + "-" + owner_.hash);
        metadata.set_namespace(arena, of_owner.namespace_());
        for (const auto [name, value] : owner_.templ.metadata().labels())
            metadata.make_labels(arena).set(arena, name, value);
        metadata.make_labels(arena).set(arena, owner_.hash_label, owner_.hash);
        for (const auto [name, value] : of_owner.annotations())
            metadata.make_annotations(arena).set(arena, name, value);
        add_controller_reference(metadata, owner_.owner->root(), arena);
        revision.set_data(arena, data_.clone(arena));
        revision.set_revision(arena, number);
        return revision.untyped();
    }

    Task<Result<void>> create(std::int64_t number) {
        Document wanted;
        wanted.root = make(number, wanted.arena);
        auto creating = writer_.create(kRevisions, wanted.root);
        const Writer::Object created = co_await creating;
        if (created) co_return base::ok();
        if (created.error().reason() != base::Reason::already_exists) co_return created.error();
        auto resolving = resolve_collision(ControllerRevision(wanted.root).metadata());
        co_return co_await resolving;
    }

    // The name is taken: by the very revision that is wanted, which the informer did not show yet, or by
    // another, and then the next hash counts that in.
    Task<Result<void>> resolve_collision(ObjectMeta wanted) {
        auto getting = surroundings_.client.get(kRevisions.address(wanted.namespace_(), wanted.name()));
        KEELSON_CO_TRY(const Document present, co_await getting);
        const ControllerRevision found(present.root);
        for (const auto owner : found.metadata().owner_references())
            if (owner.controller() && owner.uid() == owner_.owner->uid() && found.data().equals(data_))
                co_return Status(base::Reason::conflict, "the revision was made already");
        Document changed = owner_.owner->clone();
        // All kinds that keep a history count collisions in the same field.
        const auto status = StatefulSet(changed.root).make_status(changed.arena);
        status.set_collision_count(changed.arena, status.collision_count() + 1);
        auto updating = writer_.update_status(owner_.owners, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    Task<Result<void>> raise(ObjectPointer revision, std::int64_t number) {
        Document changed = revision->clone();
        ControllerRevision(changed.root).set_revision(changed.arena, number);
        auto updating = writer_.update(kRevisions, changed.root);
        KEELSON_CO_TRY_VOID(co_await updating);
        co_return base::ok();
    }

    const Surroundings& surroundings_;
    Writer& writer_;
    const HistoryOwner& owner_;
    Arena arena_;
    Value data_;
};

}  // namespace

Value revision_data(PodTemplateSpec templ, Arena& arena) {
    // The workloads that have a history have their template at the same place.
    const StatefulSet patch(Value::map(arena));
    const Value copy = templ.untyped().clone(arena);
    // The directive of a strategic merge patch: not a field of the type.
    copy.set(arena, "$patch", Value::reference("replace"));
    patch.make_spec(arena).untyped().set(arena, "template", copy);
    sort_deeply(patch.untyped());
    return patch.untyped();
}

PodTemplateSpec template_of_revision(const ObjectPointer& revision) {
    return StatefulSet(controller_revision_of(revision).data()).spec().template_();
}

Task<Result<History>> sync_history(const Surroundings& surroundings, Writer& writer, HistoryOwner owner) {
    HistoryKeeper keeper(surroundings, writer, owner);
    auto running = keeper.run();
    co_return co_await running;
}

Task<Result<void>> delete_old_revisions(Writer& writer, ObjectList history, std::size_t limit,
                                        std::vector<std::string> live_names) {
    std::size_t surplus = history.size() > limit ? history.size() - limit : 0;
    for (const ObjectPointer& revision : history) {
        if (surplus == 0) break;
        if (std::ranges::find(live_names, revision->key().name) != live_names.end()) continue;
        --surplus;
        if (revision->is_being_deleted()) continue;
        auto removing = writer.remove(kRevisions, revision, {});
        const Result<void> removed = co_await removing;
        if (!removed && removed.error().code() != 404) co_return removed.error();
    }
    co_return base::ok();
}

}  // namespace keelson::control
