// Pipes and sockets that are read and written without blocking the loop.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/api/io_loop.h"
#include "kernel/base/files.h"
#include "kernel/base/result.h"
#include "kernel/base/task.h"

namespace keelson::api {

// Of the loop's thread. One task reads and one writes at a time.
class LoopFile {
  public:
    // Takes pipes, sockets and terminals; what else a runtime may hand out cannot be waited for.
    [[nodiscard]] static base::Result<std::unique_ptr<LoopFile>> open(IoLoop& loop,
                                                                      base::FileDescriptor descriptor);

    // Of a new socket: an error number, 0 when it is connected, ECANCELED when close() came first.
    base::Task<int> connect(const sockaddr* address, socklen_t length);
    // Appends what is there, waiting for it, up to `limit_bytes`; false at the end, after a failure and after
    // cancel(). Waits in any case, so that whoever always has something to read stops nobody else.
    base::Task<bool> read(std::string& out, std::size_t limit_bytes);
    // False: nobody reads the other end any more.
    base::Task<bool> write(std::string_view data);
    // Reads end now; one that would wait does so from now on too.
    void cancel_reads();
    // What is being waited for ends with false, everything afterwards too.
    void close();
    // Of a socket: says that nothing more is written.
    void end_writing();

  private:
    explicit LoopFile(IoLoop& loop, int descriptor) : descriptor_(loop, descriptor) {}
    // The number of bytes, 0 at the end; nothing when there is nothing yet.
    std::optional<std::size_t> read_now(std::string& out, std::size_t limit_bytes);

    Descriptor descriptor_;
    bool is_closed_ = false;
    bool ends_when_empty_ = false;
    bool is_waiting_to_read_ = false;
};

}  // namespace keelson::api
