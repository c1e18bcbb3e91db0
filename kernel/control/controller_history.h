// The versions of a workload's pod template, kept as ControllerRevisions: what StatefulSets and DaemonSets
// roll out, roll back to, and make pods from.
#pragma once

#include "kernel/control/controller.h"
#include "kernel/object/accessors/apps_v1.h"
#include "kernel/object/accessors/core_v1.h"
#include "kernel/object/selector.h"

namespace keelson::control {

[[nodiscard]] inline api_types::apps_v1::ControllerRevision controller_revision_of(
    const ObjectPointer& object) {
    return api_types::apps_v1::ControllerRevision(object->root());
}

// What a revision keeps of a template: the patch that puts the template back. Members are sorted.
[[nodiscard]] object::Value revision_data(api_types::core_v1::PodTemplateSpec templ, object::Arena& arena);
// The template that a revision keeps.
[[nodiscard]] api_types::core_v1::PodTemplateSpec template_of_revision(const ObjectPointer& revision);

// Whose history it is, and how the revision of its present template is called should it be new.
struct HistoryOwner {
    Collection owners;
    ObjectPointer owner;
    const object::LabelSelector& selector;
    api_types::core_v1::PodTemplateSpec templ;
    std::string hash;             // the end of the name
    std::string_view hash_label;  // under which the hash is a label too
};

struct History {
    // Of the present template. Null: something was written, and the key comes again when the informer shows
    // that.
    ObjectPointer current;
    ObjectList old;  // in the order of their revisions
};

// Adopts the orphans among the revisions, then makes the revision of the present template, or gives it the
// highest number when it is not the last one (a rollback). A hash that is taken by other data counts up the
// collisions in the owner's status (of any kind that has them).
[[nodiscard]] base::Task<base::Result<History>> sync_history(const Surroundings& surroundings, Writer& writer,
                                                             HistoryOwner owner);

// Deletes revisions, the oldest first, until no more than `limit` of them are left; the live ones are
// kept whatever their number. `history` is in the order of revisions.
[[nodiscard]] base::Task<base::Result<void>> delete_old_revisions(Writer& writer, ObjectList history,
                                                                  std::size_t limit,
                                                                  std::vector<std::string> live_names);

}  // namespace keelson::control
