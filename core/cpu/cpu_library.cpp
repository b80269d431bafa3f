#include "core/cpu/cpu_library.h"

#include <fmt/format.h>

#include <array>
#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <utility>

namespace edt {
namespace {

// Sets of instructions are bits: later ones have those of the earlier.
bool has(dnnl::cpu_isa needed) {
  const auto bits = static_cast<unsigned>(needed);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits;
}

}  // namespace

std::string onednn_version() {
  const dnnl_version_t* version = dnnl_version();
  return fmt::format("{}.{}.{}", version->major, version->minor, version->patch);
}

std::string onednn_isa() {
  using Isa = dnnl::cpu_isa;
  constexpr std::array<std::pair<Isa, std::string_view>, 8> kSets{
      {{Isa::avx512_core_amx, "avx512_core_amx"},
       {Isa::avx512_core_bf16, "avx512_core_bf16"},
       {Isa::avx512_core_vnni, "avx512_core_vnni"},
       {Isa::avx512_core, "avx512_core"},
       {Isa::avx2_vnni, "avx2_vnni"},
       {Isa::avx2, "avx2"},
       {Isa::avx, "avx"},
       {Isa::sse41, "sse41"}}};
  for (const auto& [set, name] : kSets) {
    if (dnnl::get_effective_cpu_isa() == set) return std::string(name);
    if (has(set)) return fmt::format("{} and more", name);  // a set of a later version
  }
  return "generic";  // not x86-64
}

bool onednn_has_native_bf16() { return has(dnnl::cpu_isa::avx512_core_bf16); }
bool onednn_has_vnni() {
  return has(dnnl::cpu_isa::avx512_core_vnni) || has(dnnl::cpu_isa::avx2_vnni);
}

}  // namespace edt
