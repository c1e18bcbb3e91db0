// keelctl cp
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/kube/command.h"
#include "cli/streams/pods.h"
#include "cli/streams/stream_commands.h"
#include "cli/streams/tar.h"
#include "kernel/base/files.h"

namespace keelson::cli::kube {
namespace {

namespace fs = std::filesystem;
using base::FileDescriptor;
using streams::CommandStreams;
using streams::CommandTarget;

// [[NAMESPACE/]POD:]FILE
struct Place {
    std::string namespace_name, pod, file;
    [[nodiscard]] bool is_remote() const { return !pod.empty(); }
};

Result<Place> read_place(const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) return Place{"", "", text};
    const auto bad = [] {
        return fail("filespec must match the canonical format: [[namespace/]pod:]file/path");
    };
    if (colon == 0) return bad();
    Place place{"", text.substr(0, colon), text.substr(colon + 1)};
    const std::size_t slash = place.pod.find('/');
    if (slash == std::string::npos) return place;
    if (place.pod.find('/', slash + 1) != std::string::npos) return bad();
    place.namespace_name = place.pod.substr(0, slash);
    place.pod.erase(0, slash + 1);
    return place;
}

std::string without_end_slashes(std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    return path;
}

std::string base_name(const std::string& path) {
    return fs::path(without_end_slashes(path)).filename();
}

// What tar calls the file: without the slash and the steps up at its beginning.
std::string member_name(const std::string& path) {
    std::string name = fs::path(without_end_slashes(path)).lexically_normal();
    while (name.starts_with('/') || name.starts_with("../")) name.erase(0, name[0] == '/' ? 1 : 3);
    if (name == ".." || name == ".") return "";
    return name;
}

struct Pipe {
    FileDescriptor read, write;
};

void drain(int descriptor) {
    std::array<char, 4096> piece{};
    while (::read(descriptor, piece.data(), piece.size()) > 0) {
    }
}

Result<Pipe> make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return fail("a pipe cannot be made");
    return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

class Copy : public Command {
  public:
    void add_flags(Flags& flags) override {
        flags.text("c,container", container_, "Which container; otherwise the pod's default or first one");
        flags.flag("no-preserve", loses_owners_, "Copies get new owners and permissions");
        flags.number("retries", retries_,
                     "How often a copy from a container is begun again when it breaks off");
    }

    Result<void> run(Session& session, const Words& words) override {
        if (words.words.size() != 2) return fail("source and destination are required");
        const auto from = read_place(words.words[0]);
        if (!from) return pass_on(from);
        const auto to = read_place(words.words[1]);
        if (!to) return pass_on(to);
        if (from->is_remote() && to->is_remote())
            return fail("one of src or dest must be a local file specification");
        if (!from->is_remote() && !to->is_remote())
            return fail("one of src or dest must be a remote file specification");
        if (from->file.empty() || to->file.empty()) return fail("filepath can not be empty");
        const auto api = session.api();
        if (!api) return pass_on(api);
        api_ = *api;
        const auto target = target_of(session, from->is_remote() ? *from : *to);
        if (!target) return pass_on(target);
        return from->is_remote() ? copy_from(*target, from->file, to->file)
                                 : copy_to(*target, from->file, to->file);
    }

  private:
    Result<CommandTarget> target_of(Session& session, const Place& place) {
        const auto given = session.namespace_name();
        if (!given) return pass_on(given);
        const std::string space = place.namespace_name.empty() ? *given : place.namespace_name;
        const auto pod = api_->ask(
            {.path = "/api/v1/namespaces/" + encode_segment(space) + "/pods/" + encode_segment(place.pod)});
        if (!pod) return pass_on(pod);
        const auto container = streams::pick_container(*pod, container_, false);
        if (!container) return pass_on(container);
        return CommandTarget{space, place.pod, *container, {}};
    }

    Result<void> ended_well(const Result<int>& code) {
        if (!code) return pass_on(code);
        if (*code == 0) return {};
        return tl::unexpected(whole("command terminated with exit code " + std::to_string(*code), *code));
    }

    bool is_directory_there(CommandTarget target, const std::string& path) {
        target.command = {"test", "-d", path};
        const auto nobody = [](std::string_view) { return true; };
        const auto code = streams::run_remote(*api_, target, {.output = nobody, .error = nobody});
        return code && *code == 0;
    }

    Result<void> copy_to(CommandTarget target, const std::string& here, std::string there) {
        std::error_code error;
        if (!fs::exists(fs::symlink_status(here, error)))
            return fail(here + " doesn't exist in local filesystem");
        there = without_end_slashes(there);
        if (is_directory_there(target, there)) there += (there.ends_with('/') ? "" : "/") + base_name(here);
        const std::string directory = fs::path(there).parent_path();
        target.command = {"tar"};
        if (loses_owners_)
            target.command.insert(target.command.end(), {"--no-same-permissions", "--no-same-owner"});
        target.command.insert(target.command.end(), {"-xmf", "-"});
        if (!directory.empty()) target.command.insert(target.command.end(), {"-C", directory});
        auto pipe = make_pipe();
        if (!pipe) return pass_on(pipe);
        Result<void> packed;
        std::thread packer([&, out = std::move(pipe->write)] {
            packed = streams::pack(out.get(), without_end_slashes(here), base_name(there));
        });
        const auto code = streams::run_remote(*api_, target,
                                              {.input = pipe->read.get(),
                                               .output = streams::sink_of(STDOUT_FILENO),
                                               .error = streams::sink_of(STDERR_FILENO)});
        // A packer that still writes ends when nobody reads.
        pipe->read = FileDescriptor();
        packer.join();
        if (auto done = ended_well(code); !done) return done;
        return packed;
    }

    Result<void> copy_from(CommandTarget target, const std::string& there, const std::string& here) {
        target.command = {"tar", "cf", "-", there};
        for (std::int64_t attempt = 0;; ++attempt) {
            auto done = copy_once(target, member_name(there), here);
            if (done || attempt >= retries_) return done;
        }
    }

    Result<void> copy_once(const CommandTarget& target, const std::string& prefix, const std::string& here) {
        auto pipe = make_pipe();
        if (!pipe) return pass_on(pipe);
        Result<streams::Unpacked> unpacked;
        std::thread unpacker([&, in = std::move(pipe->read)] {
            unpacked = streams::unpack(in.get(), prefix, here);
            // What fills up the archive's end is taken too, so that the command ends in its own way.
            if (unpacked) drain(in.get());
        });
        const auto code = streams::run_remote(
            *api_, target,
            {.output = streams::sink_of(pipe->write.get()), .error = streams::sink_of(STDERR_FILENO)});
        pipe->write = FileDescriptor();
        unpacker.join();
        if (auto done = ended_well(code); !done) return done;
        if (!unpacked) return pass_on(unpacked);
        for (const std::string& warning : unpacked->warnings) warn(warning);
        return {};
    }

    Api* api_ = nullptr;
    std::string container_;
    bool loses_owners_ = false;
    std::int64_t retries_ = 0;
};

}  // namespace

void add_copy_command(Registry& registry) {
    registry.add<Copy>("cp", "Troubleshooting and Debugging Commands",
                       "<file-spec-src> <file-spec-dest> [options]", "Copy files into and out of containers",
                       "  keelctl cp site.conf test/web:/etc/site.conf\n  keelctl cp web:/var/log logs");
}

}  // namespace keelson::cli::kube
