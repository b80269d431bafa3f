#include "core/cpu/matmul.h"

#include <map>
#include <mutex>
#include <tuple>
#include <unordered_map>

#include "core/base/log.h"
#include "core/cpu/cpu_library.h"
#include "core/cpu/onednn_descriptions.h"
#include "core/cpu/parallel.h"
#include "core/cpu/typed.h"

namespace edt {
namespace {

using Type = dnnl::memory::data_type;
using Dims = dnnl::memory::dims;

// Sizes of op(a) [m, k], op(b) [k, n].
struct Sizes {
  std::int64_t m, n, k;

  Sizes(const Matrix& a, const Matrix& b)
      : m(a.transposed ? a.columns : a.rows),
        n(b.transposed ? b.rows : b.columns),
        k(a.transposed ? a.rows : a.columns) {
    EDT_ASSERT(k == (b.transposed ? b.columns : b.rows));
  }
};

}  // namespace

// matmul primitives for bf16 operands and float32 results, one per shape and number of threads,
// which a primitive keeps from its making, with the memory objects they are run on.
class Matmul::Bfloat16Products {
 public:
  void multiply(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
    Entry& entry = find(a, b, c, accumulate);
    entry.a.set_data_handle(a.span.data);
    entry.b.set_data_handle(b.span.data);
    entry.c.set_data_handle(c.span.data);
    entry.primitive.execute(stream_, entry.arguments);
    stream_.wait();
  }

 private:
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                         std::int64_t, bool, bool, bool, std::int64_t>;
  struct Entry {
    dnnl::matmul primitive;
    dnnl::memory a, b, c;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  Entry& find(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
    const Sizes s(a, b);
    const Key key{s.m,      s.n,          s.k,          a.stride,   b.stride,
                  c.stride, a.transposed, b.transposed, accumulate, thread_count()};
    const auto found = entries_.find(key);
    return found != entries_.end() ? found->second
                                   : entries_.emplace(key, make(a, b, c, accumulate)).first->second;
  }

  static dnnl::memory::desc describe(std::int64_t rows, std::int64_t columns, const Matrix& m,
                                     Type type) {
    return {Dims{rows, columns}, type, m.transposed ? Dims{1, m.stride} : Dims{m.stride, 1}};
  }

  Entry make(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
    const Sizes s(a, b);
    const auto a_desc = describe(s.m, s.k, a, Type::bf16);
    const auto b_desc = describe(s.k, s.n, b, Type::bf16);
    const auto c_desc = describe(s.m, s.n, c, Type::f32);
    dnnl::primitive_attr attributes;
    if (accumulate) {
      dnnl::post_ops sum;
      sum.append_sum(1.0f);
      attributes.set_post_ops(sum);
    }
    Entry entry;
    entry.primitive = dnnl::matmul(describe_matmul(engine_, a_desc, b_desc, c_desc, attributes));
    entry.a = dnnl::memory(a_desc, engine_, DNNL_MEMORY_NONE);
    entry.b = dnnl::memory(b_desc, engine_, DNNL_MEMORY_NONE);
    entry.c = dnnl::memory(c_desc, engine_, DNNL_MEMORY_NONE);
    entry.arguments = {
        {DNNL_ARG_SRC, entry.a}, {DNNL_ARG_WEIGHTS, entry.b}, {DNNL_ARG_DST, entry.c}};
    return entry;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::map<Key, Entry> entries_;
};

Matmul::Matmul(Scratch& scratch)
    : scratch_(scratch),
      native_bf16_(onednn_has_native_bf16()),
      bf16_products_(std::make_unique<PerThread<Bfloat16Products>>()) {}
Matmul::~Matmul() = default;

DType Matmul::operand_dtype(DType dtype) const {
  return dtype == DType::kBFloat16 && native_bf16_ ? dtype : DType::kFloat32;
}

Matrix Matmul::operand(const Matrix& m, Slot slot) {
  with_float_type(m.span.dtype, [](auto) {});
  if (operand_dtype(m.span.dtype) == m.span.dtype) return m;
  static std::once_flag logged;  // once per process, however many backends there are
  std::call_once(logged, [] {
    log::info("This CPU has no bf16 instructions: bf16 products are computed in float32.");
  });
  EDT_ASSERT(m.stride == m.columns);
  const std::int64_t n = m.rows * m.columns;
  Matrix copy = m;
  copy.span = {scratch_.floats(slot, n), DType::kFloat32};
  parallel_ranges(n, 16384, [&](std::int64_t begin, std::int64_t end) {
    convert(m.span.from(begin), copy.span.from(begin), end - begin);
  });
  return copy;
}

void Matmul::multiply(const Matrix& a, const Matrix& b, const Matrix& c, bool accumulate) {
  EDT_ASSERT(a.span.dtype == b.span.dtype && c.span.dtype == DType::kFloat32 && !c.transposed);
  const Sizes s(a, b);
  EDT_ASSERT(c.rows == s.m && c.columns == s.n);
  if (a.span.dtype == DType::kBFloat16) {
    return bf16_products_->mine().multiply(a, b, c, accumulate);
  }
  const auto status = dnnl::sgemm(
      a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', s.m, s.n, s.k, 1.0f,
      static_cast<const float*>(a.span.data), a.stride, static_cast<const float*>(b.span.data),
      b.stride, accumulate ? 1.0f : 0.0f, static_cast<float*>(c.span.data), c.stride);
  require(status == dnnl::status::success, "cpu", "oneDNN sgemm [{}, {}] x [{}, {}] failed: {}",
          s.m, s.k, s.k, s.n, static_cast<int>(status));
}

}  // namespace edt
