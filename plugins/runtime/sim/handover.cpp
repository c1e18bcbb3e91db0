#include "handover.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace {

using keelson::Code;
using keelson::Descriptor;
using keelson::Error;
using keelson::Json;

constexpr std::size_t buffer_bytes = 64 << 10;

Json moment_json(Moment moment) {
    return {moment.monotonic_us, moment.unix_us};
}

Moment moment_of(const Json& json) {
    return {json.at(0).get<std::int64_t>(), json.at(1).get<std::int64_t>()};
}

Json sandbox_json(const std::string& id, const Sandbox& sandbox) {
    return {{"sandbox", id},
            {"pod", sandbox.pod},
            {"logDirectory", sandbox.log_directory},
            {"created", moment_json(sandbox.created)},
            {"isStopped", sandbox.is_stopped}};
}

Json container_json(const std::string& id, const Container& container) {
    return {{"container", id},
            {"sandboxId", container.sandbox->first},
            {"name", container.name},
            {"imageId", container.image_id},
            {"logPath", container.log_path},
            {"attempt", container.attempt},
            {"phase", int(container.phase)},
            {"ending", int(container.ending)},
            {"created", moment_json(container.created)},
            {"started", moment_json(container.started)},
            {"finished", moment_json(container.finished)},
            {"next", moment_json(container.next)}};
}

template <typename Enumeration>
Enumeration enumeration_of(const Json& json, Enumeration last) {
    const int value = json.get<int>();
    if (value < 0 || value > int(last)) throw Error(Code::invalid, "the state has an unknown value");
    return Enumeration(value);
}

void read_sandbox(const Json& line, Machine& machine) {
    Sandbox sandbox;
    sandbox.pod = line.at("pod").get<keelson::runtime::Pod>();
    sandbox.log_directory = line.at("logDirectory");
    sandbox.created = moment_of(line.at("created"));
    sandbox.is_stopped = line.at("isStopped");
    machine.restore_sandbox(line.at("sandbox"), std::move(sandbox));
}

void read_container(const Json& line, Machine& machine) {
    Container container;
    container.name = line.at("name");
    container.image_id = line.at("imageId");
    container.log_path = line.at("logPath");
    container.attempt = line.at("attempt");
    container.phase = enumeration_of(line.at("phase"), Phase::exited);
    container.ending = enumeration_of(line.at("ending"), Ending::not_started);
    container.created = moment_of(line.at("created"));
    container.started = moment_of(line.at("started"));
    container.finished = moment_of(line.at("finished"));
    container.next = moment_of(line.at("next"));
    machine.restore_container(line.at("container"), line.at("sandboxId"), std::move(container));
}

void read_line(const std::string& text, Machine& machine, Images& images) {
    const Json line = keelson::parse({text.data(), text.size()});
    if (line.contains("sandbox")) {
        read_sandbox(line, machine);
    } else if (line.contains("container")) {
        read_container(line, machine);
    } else {
        images.pull(line.at("image"));
    }
}

class Writer {
  public:
    explicit Writer(int descriptor) : descriptor_(descriptor) {}

    void add(const Json& line) {
        text_ += line.dump(-1, ' ', false, Json::error_handler_t::replace);
        text_ += '\n';
        if (text_.size() >= buffer_bytes) flush();
    }
    void flush() {
        for (std::size_t at = 0; at < text_.size();) {
            const ssize_t count = ::write(descriptor_, text_.data() + at, text_.size() - at);
            if (count < 0 && errno == EINTR) continue;
            if (count < 0)
                throw Error(Code::exhausted, std::string("writing the state: ") + std::strerror(errno));
            at += std::size_t(count);
        }
        text_.clear();
    }

  private:
    int descriptor_;
    std::string text_;
};

}  // namespace

Descriptor write_state(const Machine& machine, const Images& images) {
    Descriptor file(::memfd_create("keelson-sim-state", MFD_CLOEXEC));
    if (!file) throw Error(Code::exhausted, std::string("making the state: ") + std::strerror(errno));
    Writer writer(file.get());
    for (const auto& [id, name] : images.names()) writer.add({{"image", name}});
    for (const auto& [id, sandbox] : machine.sandboxes()) writer.add(sandbox_json(id, sandbox));
    for (const auto& [id, container] : machine.containers()) writer.add(container_json(id, container));
    writer.flush();
    return file;
}

void read_state(int descriptor, Machine& machine, Images& images) {
    std::string pending;
    std::vector<char> buffer(buffer_bytes);
    off_t offset = 0;  // the writer has left the file's own position at its end
    for (;;) {
        const ssize_t count = ::pread(descriptor, buffer.data(), buffer.size(), offset);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw Error(Code::invalid, std::string("reading the state: ") + std::strerror(errno));
        if (count == 0) break;
        offset += count;
        pending.append(buffer.data(), std::size_t(count));
        std::size_t begin = 0;
        for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', begin)) {
            read_line(pending.substr(begin, end - begin), machine, images);
            begin = end + 1;
        }
        pending.erase(0, begin);
    }
    if (!pending.empty()) throw Error(Code::invalid, "the state ends in the middle of a line");
}
