// The library behind the matrix products: which one, and the instructions it uses here.
#pragma once

#include <string>

namespace edt {

// "2.6.3".
std::string onednn_version();

// The widest instruction set oneDNN uses on this machine: "avx2", "avx512_core_bf16", ...
std::string onednn_isa();

// Whether that instruction set multiplies bf16 natively; otherwise bf16 is emulated and slow.
bool onednn_has_native_bf16();

// Whether it multiplies and adds 8-bit integers in one (VNNI).
bool onednn_has_vnni();

}  // namespace edt
