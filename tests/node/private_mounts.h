// A mount namespace of the test's own, so that nothing that it mounts stays behind, whatever happens.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace keelson::node {

// Of the calling thread and those that it starts. Empty when it is there, else why not.
inline std::string enter_private_mounts() {
    if (::geteuid() != 0) return "mounting needs root";
    // Threads share a file system context, which a namespace of one's own must not.
    if (::unshare(CLONE_FS | CLONE_NEWNS) != 0)
        return std::string("no mount namespace can be made: ") + std::strerror(errno);
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return std::string("mounts cannot be made private: ") + std::strerror(errno);
    return {};
}

}  // namespace keelson::node
