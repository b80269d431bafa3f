// Products of warpgroups, copies of boxes and barriers, after the PTX manual: sections 9.7.15.5.1
// (how an operand lies in shared memory), 9.7.9.27 (boxes) and 9.7.13.15 (barriers).
#include "tests/core/cuda/emulation/asynchronous.h"

#include <algorithm>
#include <deque>

#include "tests/core/cuda/emulation/emulation.h"

namespace edt {
namespace emulation {
namespace {

// Where dynamic shared memory begins in the window of a multiprocessor: the system has the first
// KiB.
constexpr unsigned kFirstAddress = 1024;

unsigned char* at_address(unsigned address) { return shared_memory() + address - kFirstAddress; }

// Shared memory as products see it.
unsigned char seen_memory[227 * 1024];
unsigned char* seen_at(unsigned address) { return seen_memory + address - kFirstAddress; }
void show(unsigned address, std::size_t bytes) {
  std::memcpy(seen_at(address), at_address(address), bytes);
}

// Bits 4 and up are changed by bits 7 and up, as many as a row of the swizzle has pieces of 16
// bytes.
unsigned swizzled(unsigned address, unsigned row_bytes) {
  return address ^ ((address >> 3) & (row_bytes - 16));
}

struct SharedOperand {
  unsigned address, leading, stride, row_bytes;  // row_bytes 16: no swizzle

  explicit SharedOperand(std::uint64_t bits) {
    const auto field = [&](int shift) {
      return static_cast<unsigned>(bits >> shift & 0x3fff) << 4;
    };
    address = field(0), leading = field(16), stride = field(32);
    constexpr unsigned kRowBytes[] = {16, 128, 64, 32};
    row_bytes = kRowBytes[bits >> 62];
    if ((bits >> 49 & 7) != 0) fail("an operand with a base offset, which is not emulated");
  }

  // Of element (n, k), of a left operand (m, k): the canonical layouts of the manual.
  unsigned place(unsigned n, unsigned k, bool by_columns) const {
    const unsigned row_elements = row_bytes / 2;
    if (row_bytes == 16) {
      return by_columns ? address + n / 8 * stride + n % 8 * 2 + k % 8 * 16 + k / 8 * leading
                        : address + n / 8 * stride + n % 8 * 16 + k % 8 * 2 + k / 8 * leading;
    }
    return by_columns ? address + n / row_elements * leading + n % row_elements * 2 +
                            k / 8 * stride + k % 8 * row_bytes
                      : address + n / 8 * stride + n % 8 * row_bytes + k * 2;
  }

  float operator()(unsigned n, unsigned k, bool by_columns) const {
    const unsigned where = swizzled(place(n, k, by_columns), row_bytes);
    std::uint16_t half;
    std::memcpy(&half, seen_at(where), 2);
    return std::bit_cast<float>(static_cast<unsigned>(half) << 16);
  }
};

// This warp's 16 rows.
void multiply(const AsyncProduct& p) {
  auto& [left, right] = next_exchange().matrices;
  const int lane = static_cast<int>(place.thread.x % 32), line = lane / 4, pair = lane % 4 * 2;
  if (p.a != nullptr) {
    for (int i = 0; i < 4; ++i) {
      float* const to = &left[line + i % 2 * 8][pair + i / 2 * 8];
      to[0] = std::bit_cast<float>(p.a[i] << 16);
      to[1] = std::bit_cast<float>(p.a[i] & 0xffff0000u);
    }
  } else {
    const SharedOperand a(p.left);
    const unsigned first = place.thread.x % 128 / 32 * 16;
    for (int i = lane; i < 16 * 16; i += 32) {
      const auto m = static_cast<unsigned>(i / 16), k = static_cast<unsigned>(i % 16);
      left[m][k] = a(first + m, k, p.left_by_columns);
    }
  }
  const SharedOperand b(p.b);
  for (int i = lane; i < p.columns * 16; i += 32) {
    const auto n = static_cast<unsigned>(i / 16), k = static_cast<unsigned>(i % 16);
    right[n][k] = b(n, k, p.by_columns);
  }
  warp_barrier();
  for (int t = 0; t < p.columns / 8; ++t) {
    for (int i = 0; i < 4; ++i) {
      const float *l = left[line + i / 2 * 8], *r = right[t * 8 + pair + i % 2];
      float sum = p.add ? p.c[t][i] : 0;
      for (int k = 0; k < 16; ++k) sum += l[k] * r[k];
      p.c[t][i] = sum;
    }
  }
}

// The eight bytes of a barrier.
struct BarrierState {
  std::int32_t bytes;      // that are still expected
  std::uint16_t arrivals;  // of these so many are missing
  std::uint16_t missing : 12;
  std::uint16_t phase : 1;
  std::uint16_t is_published : 1;
  std::uint16_t mark : 2;  // memory that is no barrier is all ones

  void end_phase_if_complete() {
    if (missing > 0 || bytes != 0) return;
    missing = arrivals & 0xfff;
    phase = !phase;
  }
};
static_assert(sizeof(BarrierState) == sizeof(Barrier));

BarrierState& state_of(Barrier* barrier) {
  if (reinterpret_cast<std::uintptr_t>(barrier) % 8 != 0) fail("a barrier that is not at 8 bytes");
  auto& state = *reinterpret_cast<BarrierState*>(barrier);
  if (state.mark != 1) fail("a barrier that has not been made");
  return state;
}
std::vector<Barrier*> unpublished;

constexpr std::uint64_t kMapMark = 0x6564742d6d617021;

// What a map holds.
struct MapFields {
  std::uint64_t mark;
  const unsigned char* base;
  std::uint64_t columns, rows, stride_bytes;
  unsigned box_columns, box_rows, row_bytes;

  unsigned box_bytes() const { return box_columns * box_rows * 2; }
};
static_assert(sizeof(MapFields) <= sizeof(CUtensorMap));

struct Box {
  MapFields map;
  unsigned to;
  int column, row;
  Barrier* barrier;
};
std::deque<Box> boxes;

void deliver(const Box& box) {
  const MapFields& map = box.map;
  for (unsigned r = 0; r < map.box_rows; ++r) {
    for (unsigned c = 0; c < map.box_columns; ++c) {
      const std::int64_t row = std::int64_t{box.row} + r, column = std::int64_t{box.column} + c;
      const bool is_inside = row >= 0 && row < static_cast<std::int64_t>(map.rows) && column >= 0 &&
                             column < static_cast<std::int64_t>(map.columns);
      std::uint16_t half = 0;
      if (is_inside) {
        std::memcpy(&half,
                    map.base + static_cast<std::uint64_t>(row) * map.stride_bytes +
                        static_cast<std::uint64_t>(column) * 2,
                    2);
      }
      const unsigned to = swizzled(box.to + (r * map.box_columns + c) * 2, map.row_bytes);
      std::memcpy(at_address(to), &half, 2);
      show(to, 2);
    }
  }
  BarrierState& state = state_of(box.barrier);
  state.bytes -= static_cast<std::int32_t>(map.box_bytes());
  state.end_phase_if_complete();
}

}  // namespace

void ask_for_product(const AsyncProduct& product) {
  Asynchronous& own = asynchronous();
  if (place.threads.x % 128 != 0) fail("a product of warpgroups in a block of parts of them");
  const auto is_fenced = [&](const void* registers, std::size_t bytes) {
    const auto* const first = static_cast<const unsigned char*>(registers);
    return std::any_of(own.fenced.begin(), own.fenced.end(), [&](const auto& fenced) {
      return first >= fenced.first && first + bytes <= fenced.first + fenced.bytes;
    });
  };
  if (!is_fenced(product.c, static_cast<std::size_t>(product.columns) / 2 * sizeof(float)) ||
      (product.a != nullptr && !is_fenced(product.a, 4 * sizeof(unsigned)))) {
    fail("a product that no fence of its registers comes before");
  }
  own.products.push_back(product);
  const std::uint64_t what = product.b ^ product.left * 31 ^
                             static_cast<std::uint64_t>(product.columns) << 48 ^
                             static_cast<std::uint64_t>(product.by_columns) << 47 ^
                             static_cast<std::uint64_t>(product.add) << 46 ^
                             static_cast<std::uint64_t>(product.left_by_columns) << 45;
  own.asked = (own.asked ^ what) * 0x9e3779b97f4a7c15 + 1;
}

// Late, or as early as it may be: then what uses registers before they are waited for finds others.
void commit_group() {
  Asynchronous& own = asynchronous();
  std::size_t committed = 0;
  for (const std::size_t products : own.groups) committed += products;
  own.groups.push_back(own.products.size() - committed);
  if (!boxes_arrive_at_once()) return;
  for (std::size_t i = committed; i < own.products.size(); ++i) {
    multiply(own.products[i]);
    own.products[i].c = nullptr;  // done
  }
}

void finish_products(std::size_t groups_under_way) {
  Asynchronous& own = asynchronous();
  while (own.groups.size() > groups_under_way) {
    const auto count = static_cast<std::ptrdiff_t>(own.groups.front());
    for (std::ptrdiff_t i = 0; i < count; ++i) {
      const AsyncProduct& product = own.products[static_cast<std::size_t>(i)];
      if (product.c != nullptr) multiply(product);
    }
    own.products.erase(own.products.begin(), own.products.begin() + count);
    own.groups.erase(own.groups.begin());
  }
  own.fenced.clear();
}

void show_memory_to_products() { std::memcpy(seen_memory, shared_memory(), sizeof seen_memory); }

void forget_block(std::size_t shared_bytes) {
  unpublished.clear();
  std::memset(seen_memory, 0xff, shared_bytes);
}

bool deliver_box() {
  if (boxes.empty()) return false;
  deliver(boxes.front());
  boxes.pop_front();
  return true;
}

bool encode_map(CUtensorMap& map, const void* base, const cuuint64_t (&sizes)[2],
                cuuint64_t stride_bytes, const cuuint32_t (&box)[2], CUtensorMapSwizzle swizzle) {
  const auto is_size = [](cuuint64_t size) { return size > 0 && size <= cuuint64_t{1} << 32; };
  const auto is_side = [](cuuint32_t side) { return side > 0 && side <= 256; };
  const unsigned row_bytes = swizzle == CU_TENSOR_MAP_SWIZZLE_128B  ? 128
                             : swizzle == CU_TENSOR_MAP_SWIZZLE_64B ? 64
                             : swizzle == CU_TENSOR_MAP_SWIZZLE_32B ? 32
                                                                    : 16;
  const bool fits_swizzle = swizzle == CU_TENSOR_MAP_SWIZZLE_NONE || box[0] * 2 <= row_bytes;
  if (reinterpret_cast<std::uintptr_t>(base) % 16 != 0 || stride_bytes % 16 != 0 ||
      stride_bytes < sizes[0] * 2 || stride_bytes >= cuuint64_t{1} << 40 || !is_size(sizes[0]) ||
      !is_size(sizes[1]) || !is_side(box[0]) || !is_side(box[1]) || box[0] * 2 % 16 != 0 ||
      !fits_swizzle) {
    return false;
  }
  // A narrower box has rows of its own width, which the swizzle's pattern is not made for here.
  if (swizzle != CU_TENSOR_MAP_SWIZZLE_NONE && box[0] * 2 != row_bytes) return false;
  const MapFields fields{.mark = kMapMark,
                         .base = static_cast<const unsigned char*>(base),
                         .columns = sizes[0],
                         .rows = sizes[1],
                         .stride_bytes = stride_bytes,
                         .box_columns = box[0],
                         .box_rows = box[1],
                         .row_bytes = row_bytes};
  std::memcpy(&map, &fields, sizeof fields);
  return true;
}

}  // namespace emulation

unsigned shared_address(const void* p) {
  return static_cast<unsigned>(static_cast<const unsigned char*>(p) - emulation::shared_memory()) +
         emulation::kFirstAddress;
}

unsigned char* box_memory() { return emulation::shared_memory(); }

void put_for_products(unsigned address, unsigned value) {
  if (address % 4 != 0) emulation::fail("a misaligned store");
  std::memcpy(emulation::at_address(address), &value, sizeof value);
  emulation::asynchronous().unpublished.push_back(address);
}

void put_for_products(unsigned address, uint2 value) {
  if (address % 8 != 0) emulation::fail("a misaligned store");
  put_for_products(address, value.x);
  put_for_products(address + 4, value.y);
}

void publish_stores() {
  auto& unpublished = emulation::asynchronous().unpublished;
  for (const unsigned address : unpublished) emulation::show(address, sizeof(unsigned));
  unpublished.clear();
}

void make_barrier(Barrier* barrier, unsigned arrivals) {
  if (arrivals == 0 || arrivals > 0xfff) emulation::fail("arrivals of a barrier");
  emulation::BarrierState state{};
  state.arrivals = static_cast<std::uint16_t>(arrivals);
  state.missing = arrivals & 0xfff;
  state.mark = 1;
  std::memcpy(barrier, &state, sizeof state);
  emulation::unpublished.push_back(barrier);
}

void publish_barriers() {
  for (Barrier* const barrier : emulation::unpublished) {
    emulation::state_of(barrier).is_published = 1;
  }
  emulation::unpublished.clear();
}

void expect_bytes(Barrier* barrier, unsigned bytes) {
  emulation::BarrierState& state = emulation::state_of(barrier);
  state.bytes += static_cast<std::int32_t>(bytes);
  if (state.missing == 0) emulation::fail("an arrival too many at a barrier");
  --state.missing;
  state.end_phase_if_complete();
}

void wait_for_phase(Barrier* barrier, unsigned parity) {
  emulation::wait_until([&] { return emulation::state_of(barrier).phase != parity; });
}

void copy_box(void* to, const CUtensorMap& map, int column, int row, Barrier* barrier) {
  emulation::MapFields fields;
  std::memcpy(&fields, &map, sizeof fields);
  if (fields.mark != emulation::kMapMark) emulation::fail("a box of what is no map");
  if (reinterpret_cast<std::uintptr_t>(&map) % 64 != 0) emulation::fail("a map not at 64 bytes");
  const unsigned address = shared_address(to);
  const unsigned pattern = std::max(128u, fields.row_bytes == 16 ? 128u : 8 * fields.row_bytes);
  if (address % pattern != 0) emulation::fail("a box that is not aligned to its swizzle");
  if (!emulation::state_of(barrier).is_published) {
    emulation::fail("a box for a barrier that was not published");
  }
  emulation::boxes.push_back({fields, address, column, row, barrier});
  if (emulation::boxes_arrive_at_once()) emulation::deliver_box();
}

}  // namespace edt
