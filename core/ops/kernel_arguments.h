// EDT_NAMED(types...): the arguments of a kernel with names, a1, a2 and so on; EDT_NAMES(types...):
// those names. The list of kernels (kernel_list.h) has types alone.
#pragma once

#define EDT_COUNTED(n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n, ...) n
#define EDT_COUNT(...) EDT_COUNTED(__VA_ARGS__, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define EDT_JOINED(a, b) a##b
#define EDT_JOIN(a, b) EDT_JOINED(a, b)
#define EDT_NAMED_1(t1) t1 a1
#define EDT_NAMED_2(t1, t2) t1 a1, t2 a2
#define EDT_NAMED_3(t1, t2, t3) t1 a1, t2 a2, t3 a3
#define EDT_NAMED_4(t1, t2, t3, t4) t1 a1, t2 a2, t3 a3, t4 a4
#define EDT_NAMED_5(t1, t2, t3, t4, t5) t1 a1, t2 a2, t3 a3, t4 a4, t5 a5
#define EDT_NAMED_6(t1, t2, t3, t4, t5, t6) t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6
#define EDT_NAMED_7(t1, t2, t3, t4, t5, t6, t7) t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6, t7 a7
#define EDT_NAMED_8(t1, t2, t3, t4, t5, t6, t7, t8) \
  t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6, t7 a7, t8 a8
#define EDT_NAMED_9(t1, t2, t3, t4, t5, t6, t7, t8, t9) \
  t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6, t7 a7, t8 a8, t9 a9
#define EDT_NAMED_10(t1, t2, t3, t4, t5, t6, t7, t8, t9, t10) \
  t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6, t7 a7, t8 a8, t9 a9, t10 a10
#define EDT_NAMES_1 a1
#define EDT_NAMES_2 a1, a2
#define EDT_NAMES_3 a1, a2, a3
#define EDT_NAMES_4 a1, a2, a3, a4
#define EDT_NAMES_5 a1, a2, a3, a4, a5
#define EDT_NAMES_6 a1, a2, a3, a4, a5, a6
#define EDT_NAMES_7 a1, a2, a3, a4, a5, a6, a7
#define EDT_NAMES_8 a1, a2, a3, a4, a5, a6, a7, a8
#define EDT_NAMES_9 a1, a2, a3, a4, a5, a6, a7, a8, a9
#define EDT_NAMES_10 a1, a2, a3, a4, a5, a6, a7, a8, a9, a10
#define EDT_NAMED(...) EDT_JOIN(EDT_NAMED_, EDT_COUNT(__VA_ARGS__))(__VA_ARGS__)
#define EDT_NAMES(...) EDT_JOIN(EDT_NAMES_, EDT_COUNT(__VA_ARGS__))
