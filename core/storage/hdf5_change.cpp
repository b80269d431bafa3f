// A file driver of HDF5 that reads from the file and keeps what is written in memory.
#include "core/storage/hdf5_change.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/hdf5_calls.h"
#include "core/storage/input_file.h"

namespace edt::h5 {

namespace {

// Blocks that were written to, whole.
constexpr std::uint64_t kBlock = 4096;

struct Overlay {
  std::unique_ptr<InputFile> file;
  std::map<std::uint64_t, std::vector<std::byte>> blocks;  // by number
  std::uint64_t end = 0;                                   // of the file
};

// The driver opens files by name only; one at a time is recorded.
thread_local Overlay* recording = nullptr;

// HDF5's own part first.
struct OpenFile {
  H5FD_t base{};
  Overlay* overlay = nullptr;
  haddr_t end_of_addresses = 0;
};

OpenFile& opened(H5FD_t* file) { return *reinterpret_cast<OpenFile*>(file); }

void read_original(const Overlay& overlay, std::uint64_t offset, std::span<std::byte> out) {
  std::fill(out.begin(), out.end(), std::byte{0});
  const std::uint64_t size = overlay.file->size();
  if (offset < size) {
    overlay.file->read(offset, out.first(std::min<std::uint64_t>(out.size(), size - offset)));
  }
}

std::vector<std::byte>& block_to_write(Overlay& overlay, std::uint64_t number) {
  auto [found, is_new] = overlay.blocks.try_emplace(number, kBlock);
  if (is_new) read_original(overlay, number * kBlock, found->second);
  return found->second;
}

// Calls `visit(block number, offset within it, bytes)` for the pieces of a range.
template <class Visit>
void for_blocks(std::uint64_t offset, std::uint64_t size, Visit visit) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t at = (offset + done) % kBlock, piece = std::min(size - done, kBlock - at);
    visit((offset + done) / kBlock, at, done, piece);
    done += piece;
  }
}

// Exceptions must not pass through HDF5.
template <class Action>
herr_t guarded(Action action) noexcept {
  try {
    action();
    return 0;
  } catch (...) {
    return -1;
  }
}

H5FD_t* open_recorded(const char*, unsigned, hid_t, haddr_t) {
  return reinterpret_cast<H5FD_t*>(new OpenFile{.overlay = recording});
}

herr_t close_recorded(H5FD_t* file) {
  delete &opened(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) {
  return reinterpret_cast<const OpenFile*>(file)->end_of_addresses;
}

herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  opened(file).end_of_addresses = address;
  return 0;
}

haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) {
  return reinterpret_cast<const OpenFile*>(file)->overlay->end;
}

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) {
  Overlay& overlay = *opened(file).overlay;
  auto* out = static_cast<std::byte*>(buffer);
  return guarded([&] {
    for_blocks(
        address, size,
        [&](std::uint64_t number, std::uint64_t at, std::uint64_t done, std::uint64_t piece) {
          const auto found = overlay.blocks.find(number);
          if (found != overlay.blocks.end()) {
            std::memcpy(out + done, found->second.data() + at, piece);
          } else {
            read_original(overlay, number * kBlock + at, {out + done, piece});
          }
        });
  });
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, std::size_t size,
             const void* buffer) {
  Overlay& overlay = *opened(file).overlay;
  const auto* in = static_cast<const std::byte*>(buffer);
  return guarded([&] {
    for_blocks(
        address, size,
        [&](std::uint64_t number, std::uint64_t at, std::uint64_t done, std::uint64_t piece) {
          std::memcpy(block_to_write(overlay, number).data() + at, in + done, piece);
        });
    overlay.end = std::max<std::uint64_t>(overlay.end, address + size);
  });
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  opened(file).overlay->end = opened(file).end_of_addresses;
  return 0;
}

hid_t driver() {
  static const H5FD_class_t kClass = [] {
    H5FD_class_t description{};
#if H5_VERSION_GE(1, 14, 0)
    description.version = H5FD_CLASS_VERSION;
    description.value = static_cast<H5FD_class_value_t>(600);
#endif
    description.name = "edt_recording";
    description.maxaddr = HADDR_MAX / 2;
    description.fc_degree = H5F_CLOSE_STRONG;
    description.open = open_recorded;
    description.close = close_recorded;
    description.query = query;
    description.get_eoa = get_eoa;
    description.set_eoa = set_eoa;
    description.get_eof = get_eof;
    description.read = read;
    description.write = write;
    description.truncate = truncate;
    const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), description.fl_map);
    return description;
  }();
  static const hid_t id = H5FDregister(&kClass);
  return id;
}

// HDF5 programs lock what they have open; where there are no locks, nothing can be told.
void require_alone(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) fail_errno("open for writing", path);
  const bool taken = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(descriptor);
  require<DataError>(!taken, "hdf5", "{}: another program has it open", path.string());
}

// What differs from the file, block by block.
FileChange change_of(const Overlay& overlay) {
  FileChange change{.old_size = overlay.file->size(), .new_size = overlay.end, .pieces = {}};
  std::vector<std::byte> before(kBlock);
  for (const auto& [number, bytes] : overlay.blocks) {
    const std::uint64_t offset = number * kBlock;
    if (offset >= overlay.end) continue;
    read_original(overlay, offset, before);
    const auto size = static_cast<std::ptrdiff_t>(std::min(kBlock, overlay.end - offset));
    const bool same = offset + kBlock <= change.old_size && before == bytes;
    if (!same) change.pieces.emplace(offset, std::vector(bytes.begin(), bytes.begin() + size));
  }
  return change;
}

}  // namespace

FileChange record_change(const std::filesystem::path& path,
                         const std::function<void(File&)>& change) {
  silence();
  require_alone(path);
  Overlay overlay;
  overlay.file = std::make_unique<InputFile>(path);
  overlay.end = overlay.file->size();
  recording = &overlay;
  struct Ends {
    ~Ends() { recording = nullptr; }
  } const ends;
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), close_properties);
  check(H5Pset_driver(access.get(), driver(), nullptr), path.string(), "prepare the change");
  H5Pset_fclose_degree(access.get(), H5F_CLOSE_STRONG);
  {
    File file = File::open_with(path, access.get());
    change(file);
    file.close();
  }
  return change_of(overlay);
}

}  // namespace edt::h5
