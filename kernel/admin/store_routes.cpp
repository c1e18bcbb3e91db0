// The routes of the store.
#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "kernel/admin/documents.h"
#include "kernel/admin/members.h"
#include "kernel/admin/rollback_preview.h"
#include "kernel/admin/routes.h"
#include "kernel/admin/staged_restore.h"
#include "kernel/admin/transfer.h"
#include "kernel/base/files.h"

namespace keelson::admin {
namespace {

using base::Result;
using base::Task;
using store::Revision;

tl::unexpected<Problem> transfer_busy() {
    Problem problem(409, "another snapshot, restore or upload is under way: try again when it has ended");
    problem.headers.emplace_back("Retry-After", "5");
    return refuse(std::move(problem));
}

Task<Result<RollbackPreview>> preview_task(store::Store& store, std::string prefix, Revision revision) {
    auto work = [&store, prefix = std::move(prefix), revision] {
        return preview_rollback(store, prefix, revision);
    };
    auto reading = base::blocking(std::move(work));
    co_return co_await reading;
}

Task<Result<Revision>> check_task(std::string path, std::string scratch) {
    auto work = [path = std::move(path), scratch = std::move(scratch)] {
        return check_snapshot(path, scratch);
    };
    auto checking = base::blocking(std::move(work));
    co_return co_await checking;
}

void send_file(const base::FileDescriptor& file, const std::string& path, std::uint64_t size,
               BodySink& sink) {
    std::vector<char> piece(64u << 10);
    for (std::uint64_t at = 0; at < size;) {
        const std::size_t count = std::min<std::uint64_t>(piece.size(), size - at);
        // The head promised more: what is short is seen by the client.
        if (!base::read_at(file.get(), piece.data(), count, at, path)) return;
        if (!sink.write({piece.data(), count})) return;
        at += count;
    }
}

tl::expected<void, Problem> need_revision(std::uint64_t revision, Revision current) {
    if (revision > 0 && revision <= current) return {};
    Problem problem(400, "the revision " + std::to_string(revision) + " does not exist: they go from 1 to " +
                             std::to_string(current));
    problem.errors.push_back({"revision", "must be 1 to " + std::to_string(current)});
    return refuse(std::move(problem));
}

}  // namespace

Outcome get_store(Context& context, Request&) {
    return answer_with(
        store_document(context.parts.store.statistics(), staged_restore(context.work_directory)));
}

Outcome compact_store(Context& context, Request& request) {
    auto members = Members::parse(request.body, request.route->members);
    if (!members) return refuse(std::move(members).error());
    store::Store& store = context.parts.store;
    const Revision current = store.current();
    const Revision revision = members->number("revision").value_or(current);
    request.note = "revision=" + std::to_string(revision);
    if (members->number("revision")) {
        if (auto good = need_revision(revision, current); !good) return refuse(good.error());
    }
    if (revision > 0) {
        auto compacted = context.wait(store.compact(revision));
        if (!compacted) return refuse(std::move(compacted).error());
    }
    // Readers may hold the compaction back: it says how far it came.
    return answer_with(store_document(store.statistics(), staged_restore(context.work_directory)));
}

Outcome snapshot_store(Context& context, Request&) {
    const std::unique_lock busy(context.transfer, std::try_to_lock);
    if (!busy) return transfer_busy();
    const TemporaryFile temporary(context.work_directory, "snapshot-");
    const std::string& path = temporary.path();
    auto revision = context.wait(context.parts.store.snapshot(path));
    if (!revision) return refuse(std::move(revision).error());
    auto opened = base::open_file(path, O_RDONLY);
    if (!opened) return refuse(Problem(opened.error()));
    // The name goes now, the bytes when the answer has been sent: nothing is left behind in any case.
    auto file = std::make_shared<base::FileDescriptor>(std::move(*opened));
    const auto sum = sum_file(context, file->get(), path);
    if (!sum) return refuse(Problem(sum.error()));
    Answer answer;
    answer.content_type = "application/octet-stream";
    answer.headers = {{"X-Keelson-Sha256", sum->hexadecimal},
                      {"Digest", "sha-256=" + sum->base64},
                      {"X-Keelson-Revision", std::to_string(*revision)},
                      {"Content-Disposition",
                       "attachment; filename=\"keelson-" + std::to_string(*revision) + ".snapshot\""}};
    answer.stream_bytes = sum->bytes;
    answer.stream = [file, path, size = sum->bytes](BodySink& sink) { send_file(*file, path, size, sink); };
    return answer;
}

Outcome restore_store(Context& context, Request& request) {
    auto wanted = wanted_sha256(request);
    if (!wanted) return refuse(std::move(wanted).error());
    request.note = "sha256=" + *wanted;
    const std::unique_lock busy(context.transfer, std::try_to_lock);
    if (!busy) return transfer_busy();
    const TemporaryFile temporary(context.work_directory, "upload-");
    auto size =
        receive_file(context, request, temporary.path(), 0600, context.parts.limits.snapshot_bytes, *wanted);
    if (!size) return refuse(std::move(size).error());
    auto checked = context.wait(check_task(temporary.path(), context.work_directory + "/check"));
    if (!checked) {
        if (checked.error().status == 503) return refuse(checked.error());
        return refuse(422, "the body is no snapshot that can be restored: " + checked.error().detail +
                               ". Nothing was changed");
    }
    if (auto staged = stage_restore(temporary.path(), context.work_directory, *wanted); !staged)
        return refuse(Problem(staged.error()));
    return answer_with(
        "{\"staged\":true,\"restored\":false,\"restartRequired\":true,\"sha256\":\"" + *wanted +
            "\",\"bytes\":" + std::to_string(*size) +
            ",\"detail\":\"The snapshot is whole and waits. The store in use is unchanged and goes on until "
            "keelsond is restarted; all that is written until then is replaced as well. At that start the "
            "snapshot takes the store's place and the old store is kept beside it. DELETE /v1/store/restore "
            "forgets the snapshot.\"}\n",
        202);
}

Outcome cancel_restore(Context& context, Request&) {
    const std::unique_lock busy(context.transfer, std::try_to_lock);
    if (!busy) return transfer_busy();
    const auto forgotten = forget_staged_restore(context.work_directory);
    if (!forgotten) return refuse(Problem(forgotten.error()));
    if (!*forgotten) return refuse(404, "no restore is staged: POST /v1/store/restore stages one");
    return answer_with({}, 204);
}

Outcome rollback_store(Context& context, Request& request) {
    auto members = Members::parse(request.body, request.route->members);
    if (!members) return refuse(std::move(members).error());
    store::Store& store = context.parts.store;
    const Revision revision = *members->number("revision");
    const std::string prefix = members->text("prefix").value_or("");
    const bool dry_run = members->flag("dryRun");
    request.note = "revision=" + std::to_string(revision) + " prefix=" + prefix + (dry_run ? " dry run" : "");
    if (auto good = need_revision(revision, store.current()); !good) return refuse(good.error());
    if (dry_run) {
        auto preview = context.wait(preview_task(store, prefix, revision));
        if (!preview) return refuse(std::move(preview).error());
        return answer_with(preview_document(*preview, revision));
    }
    auto reached = context.wait(store.rollback(prefix, revision));
    if (!reached) return refuse(std::move(reached).error());
    return answer_with("{\"dryRun\":false,\"revision\":" + std::to_string(revision) +
                       ",\"currentRevision\":" + std::to_string(*reached) + "}\n");
}

}  // namespace keelson::admin
