// Processes that have ended before anybody has said what they are: one that ends at once is reaped before the
// program that made it.
#ifndef KEELSON_OCI_SHIM_ORPHANS_H
#define KEELSON_OCI_SHIM_ORPHANS_H

#include <sys/types.h>

namespace keelson::oci::shim {

class Orphans {
  public:
    // Between these two a process is awaited; otherwise none is kept, as numbers are used again.
    void expect() { ++expected_; }
    void expect_no_more() {
        if (--expected_ > 0) return;
        for (Orphan& orphan : last_) orphan = {};
    }
    void keep(pid_t process, int code) {
        if (expected_ > 0) last_[next_++ % most] = {process, code};
    }
    // Whether it has ended, and its code.
    bool take(pid_t process, int& code) {
        for (Orphan& orphan : last_) {
            if (orphan.process != process || process == 0) continue;
            code = orphan.code;
            orphan.process = 0;
            return true;
        }
        return false;
    }

  private:
    struct Orphan {
        pid_t process;
        int code;
    };
    static constexpr unsigned most = 128;
    int expected_ = 0;
    unsigned next_ = 0;
    Orphan last_[most] = {};
};

inline Orphans orphans;

}  // namespace keelson::oci::shim

#endif
