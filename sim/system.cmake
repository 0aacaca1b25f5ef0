# The whole-system simulation: library, program (./dev sim), smoke test.
add_library(sluice_sim_system STATIC network.cpp system_plan.cpp system_gateway.cpp system_rule_state.cpp system_source.cpp system_watch.cpp system_cloud.cpp
            system_check.cpp system_sim.cpp system_shrink.cpp system_defect_files.cpp system_defect_store.cpp
            ${CMAKE_SOURCE_DIR}/src/gateway/spool_source.cpp ${CMAKE_SOURCE_DIR}/src/gateway/state_journal.cpp
            ${CMAKE_SOURCE_DIR}/src/gateway/turn_journal.cpp)
target_link_libraries(sluice_sim_system PUBLIC sluice_sim sluice_flow_spool sluice_flow_uplink sluice_manage_identity sluice_cloud
                      PRIVATE ${ZSTD_LIBRARY} sluice_options)
add_executable(sluice_simulate simulate_main.cpp)
target_link_libraries(sluice_simulate PRIVATE sluice_sim_system fmt::fmt Threads::Threads sluice_options)
if(SLUICE_TESTS)
  sluice_test(sim_system_test LABEL sim-smoke SOURCES system_sim_test.cpp LINKS sluice_sim_system)
endif()
