export default function Page() {
  return <p>What happens to users: /events</p>;
}
