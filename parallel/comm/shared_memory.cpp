#include "parallel/comm/shared_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <map>
#include <system_error>

#include "core/base/error.h"

namespace edt {
namespace {

constexpr std::string_view kLabel = "shared memory";

std::string reason_of(std::string_view call) {
  return fmt::format("{}: {}", call, std::generic_category().message(errno));
}

// An anonymous file, which ends with its last mapping; others find it among the descriptors of the
// process that made it.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  int get() const { return descriptor_; }
  bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_;
};

class SharedMemory final : public Memory {
 public:
  explicit SharedMemory(Communicator& ranks) : ranks_(ranks) { require_one_host(); }
  ~SharedMemory() override {
    while (!mappings_.empty()) release(mappings_.begin()->first);
  }

  void* reserve(std::size_t bytes) override {
    std::string failure, path;
    const Descriptor file(ranks_.is_root() ? make_file(bytes, failure) : -1);
    if (file.is_open()) path = fmt::format("/proc/{}/fd/{}", getpid(), file.get());
    path = ranks_.broadcast(path, 0, kLabel);
    void* mapping = nullptr;
    if (failure.empty()) {
      const Descriptor opened(open(path.c_str(), O_RDWR | O_CLOEXEC));
      mapping = opened.is_open() ? map(opened, bytes, failure) : nullptr;
      if (!opened.is_open()) failure = reason_of(path);
    }
    failure = ranks_.first_of_all(failure, kLabel);  // also: all have mapped it
    if (mapping != nullptr) mappings_[mapping] = bytes;
    if (!failure.empty() && mapping != nullptr) release(mapping);
    require<UsageError>(failure.empty(), "memory",
                        "{} bytes cannot be shared by {} ranks on {}: {}", bytes, ranks_.size(),
                        ranks_.host(), failure);
    return mapping;
  }

  void release(void* memory) noexcept override {
    const auto found = mappings_.find(memory);
    if (found == mappings_.end()) return;
    munmap(memory, found->second);
    mappings_.erase(found);
  }

 private:
  void require_one_host() {
    std::string other = other_machine(ranks_.gather(ranks_.host(), 0, kLabel));
    other = ranks_.broadcast(other, 0, kLabel);
    require<UsageError>(other.empty(), "memory",
                        "{} ranks on several machines, {} among them, cannot share memory",
                        ranks_.size(), other);
  }

  // Pages are taken where they are first written, as those of other memory are.
  static int make_file(std::size_t bytes, std::string& failure) {
    const int file = memfd_create("edt", MFD_CLOEXEC);
    if (file < 0) {
      failure = reason_of("memfd_create");
      return file;
    }
    if (ftruncate(file, static_cast<off_t>(bytes)) != 0) failure = reason_of("ftruncate");
    return file;
  }

  static void* map(const Descriptor& file, std::size_t bytes, std::string& failure) {
    void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (mapping != MAP_FAILED) return mapping;
    failure = reason_of("mmap");
    return nullptr;
  }

  Communicator& ranks_;
  std::map<void*, std::size_t> mappings_;
};

}  // namespace

std::string other_machine(const std::vector<std::string>& hosts) {
  const auto other = std::ranges::adjacent_find(hosts, std::not_equal_to{});
  return other == hosts.end() ? "" : *std::next(other);
}

std::unique_ptr<Memory> make_shared_memory(Communicator& ranks) {
  return std::make_unique<SharedMemory>(ranks);
}

}  // namespace edt
