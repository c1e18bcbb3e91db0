// What every service proxy does alike, whatever carries the connections. proxy_suite_fixture.h says what a
// test of one gives; INSTANTIATE_TYPED_TEST_SUITE_P does the rest. The cases stand by their subjects in the
// headers below.
#pragma once

#include "tests/plugins/network/proxy_suite_affinity.h"
#include "tests/plugins/network/proxy_suite_changes.h"
#include "tests/plugins/network/proxy_suite_datagrams.h"
#include "tests/plugins/network/proxy_suite_load.h"
#include "tests/plugins/network/proxy_suite_many.h"
#include "tests/plugins/network/proxy_suite_outside.h"
#include "tests/plugins/network/proxy_suite_reach.h"
#include "tests/plugins/network/proxy_suite_upkeep.h"

namespace keelson::testing {

REGISTER_TYPED_TEST_SUITE_P(
    ProxySuite, APodReachesAServiceWithItsOwnAddress, APodReachesABackendOnAnotherNode,
    TheNodeReachesAService, APodReachesItselfByItsService, EachBackendGetsAShare,
    PortsOfOneAddressAreServicesOfTheirOwn, TcpAndUdpOfOnePortAreServicesOfTheirOwn, SctpIsCarried,
    BothFamiliesAreCarried, AClientKeepsItsBackend, AClientsBackendIsForgottenInTime,
    AClientOfALocalServiceKeepsItsBackend, AClientWhoseBackendIsGoneGetsAnother,
    AServiceWithoutBackendsRefusesAtOnce, AServiceWithoutBackendsIsSilentWhenItShallDrop,
    OtherPortsOfTheNodeAreLeftAlone, ANodePortIsOnEveryAddressOfTheNode, WhoComesFromOutsideIsMasqueraded,
    NodePortsAreOnlyOnTheAddressesThatAreAskedFor, ALocalServiceKeepsTheSourceAndTheNode,
    ALocalServiceWithoutBackendsHereDropsWhatComesFromOutside, OnlyThePermittedSourcesUseAService,
    LoadBalancerAndExternalAddressesAreServed, BackendsComeAndGo, ARemovedServiceIsGone,
    AFullTableReplacesWhatWasThere, AnAddressOrPortThatMovesIsServedWhereItIs,
    OpenConnectionsOutliveChangesOfOthers, NothingIsDoneBeforeTheLastPartOfAChange,
    AChangeThatIsGivenUpLeavesTheNextOneWhole, WhatCannotBeCarriedDoesNotStopTheOthers,
    AUdpClientMovesToTheNewBackend, AUdpClientThatHadNobodyGetsABackend,
    AUdpClientOfANodePortMovesToTheNewBackend, AUdpClientOfALocalServiceMovesToTheNewBackend,
    AUdpFlowStaysWithABackendThatStays, AServiceHasHundredsOfBackends, AServiceHasThousandsOfBackends,
    EachOfManyServicesIsTheRightOne, TheSameTableAgainChangesNothing, TrafficGoesOnWhileANewInstanceStarts,
    ANewInstanceTakesOutWhatIsNoLongerWanted, WhatAnotherProgramTakesAwayIsNoticedAndMended,
    AnInstanceThatKnowsNothingAsksForTheWholeTable, ClearTakesOutWhatAFormerInstanceHasMade,
    NoConnectionReachesAWrongServiceWhileTheTableChanges,
    ABackendThatDiesUnderLoadIsOutOfUseWithTheNextTable);

}  // namespace keelson::testing
