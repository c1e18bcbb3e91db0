#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "kernel/base/sha256.h"

namespace keelson::cli {
namespace {

constexpr const char* kSumHeader = "x-keelson-sha256";

std::string header(const Answer& answer, const std::string& name) {
    const auto found = answer.headers.find(name);
    return found == answer.headers.end() ? "" : found->second;
}

struct Received {
    Answer head;
    FileSum sum;
};

Result<Received> receive_snapshot(const Server& server, NewFile& file) {
    base::Sha256 sum;
    Received received;
    Result<void> written;
    ProgressLine line("saving");
    const auto take = [&](std::string_view piece) {
        sum.add(piece);
        received.sum.bytes += piece.size();
        line.show(received.sum.bytes, 0);
        written = file.write(piece);
        return written.has_value();
    };
    auto answer = download(server, {.path = "/v1/store/snapshot"}, take);
    if (!answer) return tl::unexpected(answer.error());
    if (!written) return tl::unexpected(written.error());
    received.head = std::move(*answer);
    received.sum.hexadecimal = base::hexadecimal(sum.finish());
    return received;
}

Result<void> check_sum(const Received& received) {
    const std::string wanted = header(received.head, kSumHeader);
    if (wanted.empty())
        return fail("the server sent no sum of the snapshot (X-Keelson-Sha256): nothing was saved");
    if (wanted == received.sum.hexadecimal) return {};
    return fail("the snapshot was damaged on the way (" + std::to_string(received.sum.bytes) +
                " bytes with the SHA-256 " + received.sum.hexadecimal + ", not " + wanted +
                "): nothing was saved, try again");
}

void print_saved(const Settings& settings, const Received& received, const std::string& file) {
    const std::string revision = header(received.head, "x-keelson-revision");
    if (settings.wants_document()) {
        const Json document{{"file", file},
                            {"revision", revision},
                            {"bytes", received.sum.bytes},
                            {"sha256", received.sum.hexadecimal}};
        print_document(text_of(document), settings.format);
        return;
    }
    print("saved revision " + printable(revision) + " in " + printable(file) + " (" +
          std::to_string(received.sum.bytes) + " bytes, SHA-256 " + received.sum.hexadecimal + ")\n");
}

}  // namespace

Result<void> save_snapshot(const Settings& settings, const std::string& file, bool force) {
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    auto target = NewFile::create(file, force);
    if (!target) return tl::unexpected(target.error());
    const auto received = receive_snapshot(*server, **target);
    if (!received) return tl::unexpected(received.error());
    if (auto good = check_sum(*received); !good) return good;
    if (auto kept = (*target)->keep(); !kept) return kept;
    print_saved(settings, *received, file);
    return {};
}

Result<void> restore_snapshot(const Settings& settings, const std::string& file) {
    auto source = open_source(file, "give what `keelctl snapshot save` has written");
    if (!source) return tl::unexpected(source.error());
    auto server = find_server(settings.server);
    if (!server) return tl::unexpected(server.error());
    const Call request{.method = "POST",
                       .path = "/v1/store/restore",
                       .headers = {{"X-Keelson-Sha256", source->sum.hexadecimal}}};
    const auto answer = [&] {
        ProgressLine line("sending " + file);
        return upload(*server, request, source->stream, source->sum.bytes,
                      [&](std::uint64_t sent) { line.show(sent, source->sum.bytes); });
    }();
    if (!answer) return tl::unexpected(answer.error());
    const auto document = parse_answer(answer->body);
    if (!document) return tl::unexpected(document.error());
    if (settings.wants_document())
        print_document(answer->body, settings.format);
    else
        print("staged " + printable(file) + " (" + text_of(*document, "bytes") + " bytes, SHA-256 " +
              printable(text_of(*document, "sha256")) + ")\n" + printable(text_of(*document, "detail")) +
              "\n");
    return {};
}

}  // namespace keelson::cli
