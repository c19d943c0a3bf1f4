//! What networks and balancers do, seen from both ends.

use tokio::time::{Instant, timeout};

use super::*;

const IN_TIME: Duration = Duration::from_secs(20);

/// A connection through the proxy, from both ends.
async fn both_ends(
    proxy: &Proxy,
    listener: &TcpListener,
) -> anyhow::Result<(TcpStream, TcpStream)> {
    let near = TcpStream::connect(proxy.address).await?;
    let (far, _) = timeout(IN_TIME, listener.accept()).await??;
    Ok((near, far))
}

async fn hears(stream: &mut TcpStream) -> anyhow::Result<u8> {
    Ok(timeout(IN_TIME, stream.read_u8()).await??)
}

#[tokio::test]
async fn a_dead_target_is_passed_over_and_one_that_is_back_is_taken_again() -> anyhow::Result<()> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let targets = vec![first.local_addr()?, second.local_addr()?];
    let proxy = Proxy::to_first_of(targets.clone()).await?;
    both_ends(&proxy, &first).await?;
    drop(first);
    let (mut near, mut far) = both_ends(&proxy, &second).await?;
    near.write_u8(7).await?;
    assert_eq!(hears(&mut far).await?, 7);
    let first = TcpListener::bind(targets[0]).await?;
    both_ends(&proxy, &first).await?;
    Ok(())
}

#[tokio::test]
async fn a_slow_link_is_late_and_loses_nothing() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let proxy = Proxy::to(listener.local_addr()?).await?;
    let (mut near, mut far) = both_ends(&proxy, &listener).await?;
    proxy.slows(Duration::from_millis(60));
    let begun = Instant::now();
    for n in 0..3 {
        near.write_u8(n).await?;
        assert_eq!(hears(&mut far).await?, n);
    }
    assert!(begun.elapsed() >= Duration::from_millis(180), "after {:?}", begun.elapsed());
    far.write_u8(9).await?;
    assert_eq!(hears(&mut near).await?, 9);
    Ok(())
}

#[tokio::test]
async fn what_is_swallowed_never_comes_and_a_cut_is_seen() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let proxy = Proxy::to(listener.local_addr()?).await?;
    let (mut near, mut far) = both_ends(&proxy, &listener).await?;
    proxy.swallows();
    near.write_u8(1).await?;
    let nothing = timeout(Duration::from_millis(100), far.read_u8()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    proxy.cut();
    assert!(hears(&mut far).await.is_err());
    assert!(hears(&mut near).await.is_err());
    Ok(())
}
