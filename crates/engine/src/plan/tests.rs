use openstack::{Deadline, Network};
use std::time::Duration;

use super::{Step, plan_create, plan_removal, sample};
use crate::execute::Executor;
use crate::fake::FakeCloud;
use crate::observe::{Looking, Observed, observe};
use crate::pki::{Pki, Token};
use crate::state::{Secrets, Store};
use crate::{Error, Wanted};

fn lines<T: ToString>(steps: &[T]) -> String {
    steps.iter().map(|step| step.to_string() + "\n").collect()
}

/// The secret of the first credential is ours.
async fn look(cloud: &FakeCloud, wanted: &Wanted) -> Observed {
    let held = cloud.things().credentials.first().map(|it| it.id.clone());
    observe(cloud, &Looking::to_create(wanted, held.as_deref())).await.unwrap()
}

/// Observe and plan before each step and do only its first: the plan after any step must be the rest of the plan
/// before it. Returns the first plan.
async fn one_by_one(cloud: &FakeCloud, wanted: &Wanted) -> String {
    let dir = tempfile::tempdir().unwrap();
    let root = camino::Utf8PathBuf::from_path_buf(dir.path().to_owned()).unwrap();
    let store = Store::at(root);
    let _lock = store.lock("demo").unwrap();
    let pki = Pki::generate().unwrap();
    let token = Token::generate();
    let mut secrets = Secrets { pki, token, credential: None };
    let first = lines(&plan_create(wanted, &look(cloud, wanted).await).unwrap());
    let mut expected = first.clone();
    loop {
        let observed = look(cloud, wanted).await;
        let plan = plan_create(wanted, &observed).unwrap();
        assert_eq!(lines(&plan), expected);
        let Some(step) = plan.first() else { return first };
        let mut executor = Executor {
            cloud,
            wanted,
            store: &store,
            secrets: secrets.clone(),
            world: observed.world,
            deadline: Deadline::after(Duration::from_secs(60)),
        };
        executor.run(step).await.unwrap();
        secrets = executor.secrets;
        expected = expected.split_once('\n').unwrap().1.to_owned();
    }
}

#[test]
fn fresh() {
    insta::assert_snapshot!(lines(&plan_create(&sample::wanted(2), &Observed::default()).unwrap()));
}

#[test]
fn fresh_with_everything_given_and_nothing_optional() {
    let mut wanted = sample::wanted(0);
    wanted.adopted_network =
        Some(crate::spec::AdoptedNetwork { network_id: "theirs".into(), subnet_id: "theirs".into() });
    wanted.adopted_floating_ip = Some("theirs".into());
    wanted.ssh_public_key = None;
    wanted.node_ports_from = None;
    wanted.server_group_policy = None;
    wanted.tags = false;
    insta::assert_snapshot!(lines(&plan_create(&wanted, &Observed::default()).unwrap()));
}

#[tokio::test(start_paused = true)]
async fn after_each_step_the_rest_is_planned() {
    let cloud = FakeCloud::default();
    one_by_one(&cloud, &sample::wanted(2)).await;
    let things = cloud.things();
    assert_eq!(things.servers.len(), 3);
    assert!(things.servers.iter().all(|server| server.status == "ACTIVE"));
    assert!(things.networks.iter().all(|network| network.tags == [sample::mark()]));
}

#[tokio::test(start_paused = true)]
async fn a_failed_server_is_replaced() {
    let cloud = FakeCloud::default();
    let wanted = sample::wanted(1);
    one_by_one(&cloud, &wanted).await;
    cloud.edit(|things| {
        let worker = things.servers.iter_mut().find(|server| server.name == "demo-worker-0").unwrap();
        worker.status = "ERROR".into();
    });
    let plan = plan_create(&wanted, &look(&cloud, &wanted).await).unwrap();
    insta::assert_snapshot!(lines(&plan));
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_is_made_again() {
    let cloud = FakeCloud::default();
    let wanted = sample::wanted(1);
    one_by_one(&cloud, &wanted).await;
    cloud.edit(|things| {
        things.floating_ips[0].port_id = None;
        things.routers[0].tags = vec!["theirs".into()];
        things.security_groups[0].security_group_rules.pop();
        things.keypairs.clear();
    });
    insta::assert_snapshot!(one_by_one(&cloud, &wanted).await);
    assert_eq!(cloud.things().routers[0].tags, ["theirs".to_owned(), sample::mark()]);
}

#[tokio::test(start_paused = true)]
async fn removal_of_a_whole_cluster() {
    let cloud = FakeCloud::default();
    let wanted = sample::wanted(1);
    one_by_one(&cloud, &wanted).await;
    insta::assert_snapshot!(lines(&plan_removal(&look(&cloud, &wanted).await.world)));
}

#[tokio::test(start_paused = true)]
async fn a_credential_whose_secret_is_lost_is_replaced() {
    let cloud = FakeCloud::default();
    let wanted = sample::wanted(1);
    one_by_one(&cloud, &wanted).await;
    let lost = cloud.things().credentials[0].id.clone();
    let observed = observe(&cloud, &Looking::to_create(&wanted, Some("another"))).await.unwrap();
    let plan = plan_create(&wanted, &observed).unwrap();
    assert_eq!(plan, [Step::DeleteCredential { id: lost }, Step::CreateCredential]);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_without_controllers_has_no_credential() {
    let cloud = FakeCloud::default();
    let mut wanted = sample::wanted(1);
    wanted.addons.clear();
    one_by_one(&cloud, &wanted).await;
    assert!(cloud.things().credentials.is_empty());
}

#[tokio::test]
async fn a_strangers_network_of_our_name_stops_everything() {
    let cloud = FakeCloud::default();
    let wanted = sample::wanted(1);
    cloud.edit(|things| things.networks.push(strangers_network("demo-network")));
    let observed = look(&cloud, &wanted).await;
    assert!(observed.world.is_empty());
    let error = plan_create(&wanted, &observed).unwrap_err();
    assert!(matches!(error, Error::Foreign { kind: "network", .. }), "{error}");
}

#[tokio::test]
async fn similar_names_are_no_strangers() {
    let cloud = FakeCloud::default();
    cloud.edit(|things| things.networks.push(strangers_network("demo-network-2")));
    let observed = look(&cloud, &sample::wanted(1)).await;
    assert!(observed.strangers.is_empty());
}

fn strangers_network(name: &str) -> Network {
    Network {
        id: "theirs".into(),
        name: name.into(),
        description: crate::node::mark("another-cluster"),
        status: "ACTIVE".into(),
        external: false,
        shared: false,
        mtu: None,
        subnets: vec![],
        tags: vec![],
    }
}
